// SPDX-License-Identifier: Apache-2.0
#include "convert.h"

#include <array>

namespace weir
{

namespace
{

constexpr uint64_t ns_per_ms = 1000 * 1000;

uint32_t number(const Napi::Object &object, const char *name)
{
	return object.Get(name).As<Napi::Number>().Uint32Value();
}

std::string text(const Napi::Object &object, const char *name)
{
	return object.Get(name).As<Napi::String>().Utf8Value();
}

uint16_t port_of(const Napi::Object &object, const char *name = "port")
{
	return static_cast<uint16_t>(number(object, name));
}

/* Keys are made once for all rows: naming a property by text costs a string each time. */
class Row
{
public:
	static constexpr std::array names = { "connection", "state",       "local",      "localPort",
					      "remote",     "remotePort",  "bytesAcked", "bytesReceived",
					      "rttUs",      "retransmits", "device" };

	explicit Row(Napi::Env env) : env(env)
	{
		for (size_t i = 0; i < names.size(); i++)
			keys[i] = Napi::String::New(env, names[i]);
	}
	Napi::Object make(const std::array<napi_value, names.size()> &values) const
	{
		Napi::Object object = Napi::Object::New(env);

		for (size_t i = 0; i < names.size(); i++)
			napi_set_property(env, object, keys[i], values[i]);
		return object;
	}

private:
	Napi::Env env;
	std::array<napi_value, names.size()> keys;
};

}

Napi::Error to_error(Napi::Env env, const Failure &failure)
{
	Napi::Error error = Napi::Error::New(env, failure.what());

	error.Set("name", Napi::String::New(env, "DatapathError"));
	error.Set("step", Napi::String::New(env, failure.step));
	error.Set("errno", Napi::Number::New(env, failure.error));
	error.Set("code", Napi::String::New(env, error_name(failure.error)));
	return error;
}

Options options_from(const Napi::Object &object)
{
	Options options = {};

	options.node = text(object, "node");
	options.bpffs = object.Get("bpffs").IsString() ? text(object, "bpffs") : default_bpffs;
	options.settings.hang_ns = number(object, "hangMs") * ns_per_ms;
	options.settings.max_stale_ns = number(object, "maxStaleMs") * ns_per_ms;
	options.settings.pod_quota = number(object, "podQuota");
	return options;
}

PodRequest pod_from(const Napi::Object &object)
{
	PodRequest request = {};

	request.netns = text(object, "netns");
	if (object.Get("ipv4").IsTypedArray())
		request.row.ipv4 = address_from(object.Get("ipv4"));
	if (object.Get("ipv6").IsTypedArray())
		request.row.ipv6 = address_from(object.Get("ipv6"));
	request.row.workload = number(object, "workload");
	request.row.flags = object.Get("failOpen").ToBoolean() ? POD_FAIL_OPEN : 0;
	request.row.slot = number(object, "slot");
	return request;
}

struct address address_from(const Napi::Value &value)
{
	struct address address;

	if (!value.IsTypedArray() || value.As<Napi::TypedArray>().ByteLength() != sizeof(address))
		throw Failure("read an address", 0, "An address is a Uint8Array of 16 bytes.");
	memcpy(&address, value.As<Napi::Uint8Array>().Data(), sizeof(address));
	return address;
}

std::pair<struct address, workload> workload_from(const Napi::Object &object)
{
	workload row = {};

	row.netns = cookie_from(object.Get("cookie"));
	row.workload = number(object, "workload");
	row.flags = number(object, "flags");
	row.generation = number(object, "generation");
	row.ifindex = number(object, "ifindex");
	return { address_from(object.Get("address")), row };
}

ServiceRow service_from(const Napi::Object &object)
{
	ServiceRow row = {};
	auto endpoints = object.Get("endpoints").As<Napi::Array>();

	row.key = service_key_from(object);
	row.service = number(object, "service");
	row.affinity_seconds = number(object, "affinitySeconds");
	row.endpoints.resize(endpoints.Length());
	for (uint32_t index = 0; index < endpoints.Length(); index++) {
		auto each = endpoints.Get(index).As<Napi::Object>();
		row.endpoints[index].address = address_from(each.Get("address"));
		row.endpoints[index].port = port_of(each);
	}
	return row;
}

service_key service_key_from(const Napi::Object &object)
{
	service_key key = {};

	key.address = address_from(object.Get("address"));
	key.port = port_of(object);
	return key;
}

uint64_t cookie_from(const Napi::Value &value)
{
	bool lossless;

	return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

std::vector<TcpSocket> sockets_from(const Napi::Array &array)
{
	std::vector<TcpSocket> sockets(array.Length());

	for (uint32_t index = 0; index < sockets.size(); index++) {
		Napi::HandleScope scope(array.Env());
		auto object = array.Get(index).As<Napi::Object>();
		TcpSocket &socket = sockets[index];
		socket.connection = cookie_from(object.Get("connection"));
		socket.local = address_from(object.Get("local"));
		socket.local_port = port_of(object, "localPort");
		socket.remote = address_from(object.Get("remote"));
		socket.remote_port = port_of(object, "remotePort");
		if (object.Get("device").IsNumber())
			socket.device = number(object, "device");
	}
	return sockets;
}

Napi::Value to_js(Napi::Env env, const std::string &text)
{
	return Napi::String::New(env, text);
}

Napi::Value to_js(Napi::Env env, uint64_t number)
{
	return Napi::BigInt::New(env, number);
}

Napi::Value to_js(Napi::Env env, const struct address &address)
{
	Napi::Uint8Array bytes = Napi::Uint8Array::New(env, sizeof(address));

	memcpy(bytes.Data(), &address, sizeof(address));
	return bytes;
}

Napi::Value to_js(Napi::Env env, const service_key &key)
{
	Napi::Object object = Napi::Object::New(env);

	object.Set("address", to_js(env, key.address));
	object.Set("port", Napi::Number::New(env, key.port));
	return object;
}

Napi::Value to_js(Napi::Env env, const CapturedPod &pod)
{
	Napi::Object object = Napi::Object::New(env);

	object.Set("cookie", to_js(env, pod.cookie));
	object.Set("ifindex", Napi::Number::New(env, pod.ifindex));
	if (!pod.unguarded.empty())
		object.Set("originUnguarded", to_js(env, pod.unguarded));
	return object;
}

Napi::Value to_js(Napi::Env env, const struct pod &pod)
{
	Napi::Object object = Napi::Object::New(env);

	object.Set("workload", pod.workload);
	object.Set("slot", pod.slot);
	return object;
}

Napi::Value to_js(Napi::Env env, const TableUse &use)
{
	Napi::Object object = Napi::Object::New(env);

	object.Set("name", to_js(env, use.name));
	object.Set("rows", Napi::Number::New(env, static_cast<double>(use.rows)));
	object.Set("capacity", Napi::Number::New(env, use.capacity));
	return object;
}

Napi::Value to_js(Napi::Env env, const Probe &probe)
{
	Napi::Object object = Napi::Object::New(env);

	object.Set("feature", to_js(env, probe.feature));
	object.Set("available", Napi::Boolean::New(env, probe.available));
	object.Set("detail", to_js(env, probe.detail));
	return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<TcpSocket> &sockets)
{
	constexpr size_t width = sizeof(struct address);
	Napi::Array array = Napi::Array::New(env, sockets.size());
	Napi::ArrayBuffer addresses = Napi::ArrayBuffer::New(env, sockets.size() * 2 * width);
	auto *bytes = static_cast<char *>(addresses.Data());
	Row row(env);

	for (uint32_t index = 0; index < sockets.size(); index++) {
		Napi::HandleScope scope(env);
		const TcpSocket &socket = sockets[index];
		size_t at = index * 2 * width;
		auto count = [&](uint64_t value) -> napi_value {
			return Napi::Number::New(env, static_cast<double>(value));
		};
		memcpy(bytes + at, &socket.local, width);
		memcpy(bytes + at + width, &socket.remote, width);
		array[index] = row.make({ to_js(env, socket.connection), count(socket.state),
					  Napi::Uint8Array::New(env, width, addresses, at), count(socket.local_port),
					  Napi::Uint8Array::New(env, width, addresses, at + width),
					  count(socket.remote_port), count(socket.bytes_acked),
					  count(socket.bytes_received), count(socket.rtt_us), count(socket.retransmits),
					  count(socket.device) });
	}
	return array;
}

}
