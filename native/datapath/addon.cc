// SPDX-License-Identifier: Apache-2.0
/* The datapath as JavaScript sees it. Only argument conversion happens here and in convert.cc. */
#include <napi.h>

#include <atomic>
#include <memory>
#include <optional>

#include "convert.h"
#include "datapath.h"
#include "netns.h"
#include "pins.h"
#include "probe.h"

namespace weir
{

namespace
{

/* Batches that JavaScript has not taken yet: 15 MB of records at most. */
constexpr size_t queue_batches = 64;

/* Record batches on their way to one JavaScript function. */
class Delivery
{
public:
	Delivery(Napi::Env env, const Napi::Function &deliver)
		: queue(Napi::ThreadSafeFunction::New(env, deliver, "weir records", queue_batches, 1)),
		  lost(std::make_shared<std::atomic<uint32_t>>(0))
	{
		queue.Unref(env);
	}
	~Delivery()
	{
		if (open)
			queue.Release();
	}
	Delivery(const Delivery &) = delete;
	Delivery &operator=(const Delivery &) = delete;

	/* On the events thread. */
	void push(std::vector<uint8_t> &&records)
	{
		if (!open)
			return;
		auto batch = std::make_shared<const std::vector<uint8_t>>(std::move(records));
		napi_status status = queue.NonBlockingCall([batch, lost = lost](Napi::Env env, Napi::Function deliver) {
			Napi::Uint8Array bytes = Napi::Uint8Array::New(env, batch->size());
			memcpy(bytes.Data(), batch->data(), batch->size());
			deliver.Call({ bytes, Napi::Number::New(env, lost->exchange(0)) });
		});
		if (status == napi_ok)
			return;
		*lost += batch->size() / sizeof(struct record);
		open = status != napi_closing;
	}

private:
	Napi::ThreadSafeFunction queue;
	std::shared_ptr<std::atomic<uint32_t>> lost; /* the last call may come after this is gone */
	std::atomic<bool> open = true;
};

/*
 * Lets go of the datapath before Node.js, on its way out, takes away the queue the events thread writes to: hooks run
 * in the reverse order of their making, and the queue has one too.
 */
class Teardown
{
public:
	Teardown(napi_env env, std::unique_ptr<Datapath> *datapath) : env(env), datapath(datapath)
	{
		napi_add_env_cleanup_hook(env, let_go, datapath);
	}
	~Teardown() { napi_remove_env_cleanup_hook(env, let_go, datapath); }
	Teardown(const Teardown &) = delete;
	Teardown &operator=(const Teardown &) = delete;

private:
	static void let_go(void *datapath) { static_cast<std::unique_ptr<Datapath> *>(datapath)->reset(); }

	napi_env env;
	std::unique_ptr<Datapath> *datapath;
};

class DatapathObject : public Napi::ObjectWrap<DatapathObject>
{
public:
	static Napi::Function define(Napi::Env env);

	explicit DatapathObject(const Napi::CallbackInfo &info) : Napi::ObjectWrap<DatapathObject>(info)
	{
		auto self = info.This().As<Napi::Object>();

		throwing(info.Env(),
			 [&] { datapath = std::make_unique<Datapath>(options_from(argument<Napi::Object>(info))); });
		self.Set("adopted", Napi::Boolean::New(info.Env(), datapath->adopted()));
		if (!datapath->not_adopted().empty())
			self.Set("notAdopted", to_js(info.Env(), datapath->not_adopted()));
		self.Set("maps", map_descriptors(info.Env()));
	}

private:
	template <typename Type>
	static Type argument(const Napi::CallbackInfo &info, size_t index = 0)
	{
		return info[index].As<Type>();
	}

	/* Every method comes through here: it refuses after close(), and turns failures into exceptions. */
	template <typename Work>
	auto with(const Napi::CallbackInfo &info, Work work)
	{
		return throwing(info.Env(), [&] {
			if (!datapath)
				throw Failure("use the datapath", 0, "It is closed.");
			return work(*datapath);
		});
	}

	template <typename Work>
	void for_each_argument(const Napi::CallbackInfo &info, Work work)
	{
		with(info, [&](Datapath &open) {
			auto rows = argument<Napi::Array>(info);
			for (uint32_t index = 0; index < rows.Length(); index++) {
				Napi::HandleScope scope(info.Env());
				work(open, rows.Get(index));
			}
		});
	}

	Napi::Object map_descriptors(Napi::Env env)
	{
		Napi::Object maps = Napi::Object::New(env);
		auto set = [&](const char *name, const char *map) {
			maps.Set(name, Napi::Number::New(env, datapath->map(map)));
		};

		set("verdicts", "verdicts");
		set("listeners", "listeners");
		set("heartbeat", "heartbeat");
		set("skOrigin", "sk_origin");
		set("skExempt", "sk_exempt");
		return maps;
	}

	Napi::Value id_high_water(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) { return Napi::Number::New(info.Env(), open.id_high_water()); });
	}

	void set_id_high_water(const Napi::CallbackInfo &info)
	{
		with(info, [&](Datapath &open) { open.set_id_high_water(argument<Napi::Number>(info).Uint32Value()); });
	}

	Napi::Value cookie_of(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &) {
			Fd netns = open_namespace(argument<Napi::String>(info).Utf8Value());
			return to_js(info.Env(), cookie_of_namespace(netns.get()));
		});
	}

	Napi::Value capture(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) {
			return to_js(info.Env(), open.pods().capture(pod_from(argument<Napi::Object>(info))));
		});
	}

	void release(const Napi::CallbackInfo &info)
	{
		with(info, [&](Datapath &open) { open.pods().release(cookie_from(info[0])); });
	}

	Napi::Value captured(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) { return to_js(info.Env(), open.pods().captured()); });
	}

	Napi::Value slots(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) { return to_js(info.Env(), open.pods().described()); });
	}

	void upsert_workloads(const Napi::CallbackInfo &info)
	{
		for_each_argument(info, [](Datapath &open, const Napi::Value &value) {
			auto [address, row] = workload_from(value.As<Napi::Object>());
			open.put_workload(address, row);
		});
	}

	void remove_workloads(const Napi::CallbackInfo &info)
	{
		for_each_argument(info, [](Datapath &open, const Napi::Value &value) {
			open.remove_workload(address_from(value));
		});
	}

	Napi::Value workload_addresses(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) { return to_js(info.Env(), open.workload_addresses()); });
	}

	void upsert_services(const Napi::CallbackInfo &info)
	{
		for_each_argument(info, [](Datapath &open, const Napi::Value &value) {
			open.services().put(service_from(value.As<Napi::Object>()));
		});
	}

	void remove_services(const Napi::CallbackInfo &info)
	{
		for_each_argument(info, [](Datapath &open, const Napi::Value &value) {
			open.services().remove(service_key_from(value.As<Napi::Object>()));
		});
	}

	Napi::Value service_keys(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) { return to_js(info.Env(), open.services().keys()); });
	}

	Napi::Value sockets(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) {
			return to_js(info.Env(), connections_in(open.pods().open(cookie_from(info[0])).get()));
		});
	}

	Napi::Value destroy_sockets(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) {
			auto sockets = sockets_from(argument<Napi::Array>(info, 1));
			Fd netns = open.pods().open(cookie_from(info[0]));
			return Napi::Number::New(info.Env(),
						 static_cast<double>(weir::destroy_sockets(netns.get(), sockets)));
		});
	}

	void synchronize(const Napi::CallbackInfo &info)
	{
		with(info, [](Datapath &open) { open.synchronize(); });
	}

	void on_records(const Napi::CallbackInfo &info)
	{
		with(info, [&](Datapath &open) {
			auto delivery = std::make_shared<Delivery>(info.Env(), argument<Napi::Function>(info));
			open.start_events(
				[delivery](std::vector<uint8_t> &&batch) { delivery->push(std::move(batch)); });
			teardown.emplace(info.Env(), &datapath);
		});
	}

	Napi::Value counters(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) { return to_js(info.Env(), open.counters()); });
	}

	Napi::Value tables(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) { return to_js(info.Env(), open.tables()); });
	}

	Napi::Value repair(const Napi::CallbackInfo &info)
	{
		return with(info, [&](Datapath &open) { return to_js(info.Env(), open.repair()); });
	}

	void close(const Napi::CallbackInfo &) { datapath.reset(); }

	std::unique_ptr<Datapath> datapath;
	std::optional<Teardown> teardown;
};

Napi::Function DatapathObject::define(Napi::Env env)
{
	return DefineClass(env, "Datapath",
			   {
				   InstanceMethod<&DatapathObject::id_high_water>("idHighWater"),
				   InstanceMethod<&DatapathObject::set_id_high_water>("setIdHighWater"),
				   InstanceMethod<&DatapathObject::cookie_of>("cookieOf"),
				   InstanceMethod<&DatapathObject::capture>("capture"),
				   InstanceMethod<&DatapathObject::release>("release"),
				   InstanceMethod<&DatapathObject::captured>("captured"),
				   InstanceMethod<&DatapathObject::slots>("slots"),
				   InstanceMethod<&DatapathObject::upsert_workloads>("upsertWorkloads"),
				   InstanceMethod<&DatapathObject::remove_workloads>("removeWorkloads"),
				   InstanceMethod<&DatapathObject::workload_addresses>("workloadAddresses"),
				   InstanceMethod<&DatapathObject::upsert_services>("upsertServices"),
				   InstanceMethod<&DatapathObject::remove_services>("removeServices"),
				   InstanceMethod<&DatapathObject::service_keys>("serviceKeys"),
				   InstanceMethod<&DatapathObject::sockets>("sockets"),
				   InstanceMethod<&DatapathObject::destroy_sockets>("destroySockets"),
				   InstanceMethod<&DatapathObject::synchronize>("synchronize"),
				   InstanceMethod<&DatapathObject::on_records>("onRecords"),
				   InstanceMethod<&DatapathObject::counters>("counters"),
				   InstanceMethod<&DatapathObject::tables>("tables"),
				   InstanceMethod<&DatapathObject::repair>("repair"),
				   InstanceMethod<&DatapathObject::close>("close"),
			   });
}

Napi::Value probe(const Napi::CallbackInfo &info)
{
	return throwing(info.Env(), [&] { return to_js(info.Env(), probe_kernel()); });
}

Napi::Value uninstall(const Napi::CallbackInfo &info)
{
	std::string node = info[0].As<Napi::String>().Utf8Value();
	std::string bpffs = info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : default_bpffs;

	return throwing(info.Env(), [&] { return to_js(info.Env(), weir::uninstall(node, bpffs)); });
}

Napi::Object initialize(Napi::Env env, Napi::Object exports)
{
	auto constructor = std::make_shared<Napi::FunctionReference>(Napi::Persistent(DatapathObject::define(env)));
	auto open = [constructor](const Napi::CallbackInfo &info) { return constructor->New({ info[0] }); };

	exports.Set("open", Napi::Function::New(env, open, "open"));
	exports.Set("probe", Napi::Function::New<probe>(env, "probe"));
	exports.Set("uninstall", Napi::Function::New<uninstall>(env, "uninstall"));
	return exports;
}

}

}

static Napi::Object start(Napi::Env env, Napi::Object exports)
{
	return weir::initialize(env, exports);
}

NODE_API_MODULE(datapath, start)
