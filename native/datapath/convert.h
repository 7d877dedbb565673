// SPDX-License-Identifier: Apache-2.0
/* JavaScript values to and from what the datapath works with: src/native/datapath.ts is the other side. */
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "datapath.h"
#include "error.h"
#include "probe.h"
#include "sockdiag.h"

namespace weir
{

/* A JavaScript Error with step, errno and code. */
Napi::Error to_error(Napi::Env env, const Failure &failure);

/* Runs `work`, turning a Failure into a JavaScript exception. */
template <typename Work>
auto throwing(Napi::Env env, Work work)
{
	try {
		return work();
	} catch (const Failure &failure) {
		throw to_error(env, failure);
	} catch (const Napi::Error &) {
		throw;
	} catch (const std::exception &exception) {
		throw Napi::Error::New(env, exception.what());
	}
}

Options options_from(const Napi::Object &object);
PodRequest pod_from(const Napi::Object &object);
struct address address_from(const Napi::Value &value);
std::pair<struct address, workload> workload_from(const Napi::Object &object);
ServiceRow service_from(const Napi::Object &object);
service_key service_key_from(const Napi::Object &object);
uint64_t cookie_from(const Napi::Value &value);
/* Only what names a socket. */
std::vector<TcpSocket> sockets_from(const Napi::Array &array);

Napi::Value to_js(Napi::Env env, const std::string &text);
Napi::Value to_js(Napi::Env env, uint64_t number);
Napi::Value to_js(Napi::Env env, const struct address &address);
Napi::Value to_js(Napi::Env env, const service_key &key);
Napi::Value to_js(Napi::Env env, const CapturedPod &pod);
/* Which workload has which slot. */
Napi::Value to_js(Napi::Env env, const struct pod &pod);
Napi::Value to_js(Napi::Env env, const TableUse &use);
Napi::Value to_js(Napi::Env env, const Probe &probe);
/* Ten thousand of these take tens of milliseconds, so all addresses are views of one buffer. */
Napi::Value to_js(Napi::Env env, const std::vector<TcpSocket> &sockets);

template <typename Item>
Napi::Value to_js(Napi::Env env, const std::vector<Item> &items)
{
	Napi::Array array = Napi::Array::New(env, items.size());

	for (uint32_t index = 0; index < items.size(); index++)
		array[index] = to_js(env, items[index]);
	return array;
}

}
