// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
)

var overhead = figure{
	id:    "overhead",
	title: "What a call costs",
	what: []string{
		"A program calls a function in another process or domain, with 64 bytes each way, and waits for the answer. The function does nothing, so the time is that of the call alone.",
	},
	only: []paragraph{
		{"call.native", "Calls between two processes of this machine, each on a core of its own, are compared with the least that the same two cores can do (a round trip of one cache line, an event that wakes a sleeping process) and with other ways to call (a unix socket, Go's net/rpc)."},
		{"call.lab", "Calls from Dom0 into a guest on real Xen are in instructions, because that Xen runs in an emulator, whose clock is not a measure of time. They are compared with Xen's own libxenvchan, and with TCP over Xen's network device."},
	},
	paper: "Table 2: VM entry 531, VM exit 481, vLib call 4,754, remote deschedule 1,153, mapping the channel 2,377 CPU cycles, on an Intel Core i5-2500K. These are cycles of a hypervisor whose guests poll on a core each. Ours are whole calls of programs, with their system calls, so the two cannot be compared as a ratio.",
	commands: []string{
		"vlibmaster bench overhead", "vlibbench lab", "vlibbench module",
	},
	area: []string{"call", "module.call_listen", "module.gated_call", "module.block_cpu_call", "module.deschedule"},
	draw: func(r records) (charts []drawing) {
		native := r.values("ns", []number{
			{"round trip of one cache line", "call.native.spin", "line1_ns", "base"},
			{"call in a session, spinning", "call.native.spin", "session_ns", "ours"},
			{"call, spinning", "call.native.spin", "call_ns", "ours"},
			{"call, spin then sleep", "call.native.block", "adaptive_ns", "ours"},
			{"round trip of an eventfd", "call.native.block", "eventfd_ns", "base"},
			{"call, sleeping", "call.native.block", "call_ns", "ours"},
			{"unix socket", "call.native.socket", "socket_ns", "other"},
			{"Go net/rpc, unix socket", "call.native.rpc", "rpc_ns", "other"},
		})
		if len(native) > 0 {
			charts = append(charts, bars("overhead-native", "Time of a call between two processes", "time of a round trip, median", native, nil))
		}
		counted := r.values("", []number{
			{"a refused ioctl", "call.lab.null_ioctl", "null_ioctl_instructions_p50", "base"},
			{"a null hypercall", "call.lab.xen_hypercall", "xen_hypercall_instructions_p50", "base"},
			{"call in a session", "call.lab.session", "session_instructions_p50", "ours"},
			{"call, spin then sleep", "call.lab.adaptive", "adaptive_instructions_p50", "ours"},
			{"call, sleeping", "call.lab.block", "block_instructions_p50", "ours"},
			{"libxenvchan, sleeping", "call.lab.block", "vchan_instructions_p50", "other"},
			{"TCP over Xen's network device, sleeping", "call.lab.tcp", "tcp_instructions_p50", "other"},
		})
		if len(counted) > 0 {
			charts = append(charts, bars("overhead-xen", "Instructions of a call into a guest on Xen", "instructions a round trip, median", counted, nil))
		}
		single := r.values("", []number{
			{"descheduling a guest on another CPU, by its gate", "module.deschedule", "gate_closes_instructions_p50", "ours"},
			{"the same, by Xen's own pause", "module.deschedule", "pause_instructions_p50", "other"},
			{"opening a channel, once", "call.lab.open", "open_instructions_p50", "ours"},
		})
		if len(single) > 0 {
			charts = append(charts, bars("overhead-single", "Instructions of operations around a call on Xen", "instructions, median", single, nil))
		}
		return charts
	},
	said: func(r records) (said []string) {
		if one, ok := r.byName["call.native.block"]; ok {
			said = append(said, fmt.Sprintf("A call that sleeps takes %s times as long as an eventfd's round trip on this machine.", interval(one)))
		}
		if one, ok := r.byName["call.native.rpc"]; ok {
			said = append(said, fmt.Sprintf("It takes %s of the time of the same call through Go's net/rpc.", percent(one.Value)))
		}
		if one, ok := r.byName["call.lab.block"]; ok {
			said = append(said, fmt.Sprintf("Into a guest, it takes %s of the instructions of a round trip through libxenvchan.", percent(one.Value)))
		}
		return said
	},
}
