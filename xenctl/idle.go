// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"fmt"
	"time"
	"unsafe"
)

// idleMax is for how many CPUs there is room in the buffer, after the request.
const idleMax = (bufferSize - listOffset) / int(unsafe.Sizeof(cpuInfo{}))

// IdleTimes returns how long each CPU has had nothing to run since it was
// brought up, by its number; 0 for a CPU that is offline. The first 2,016 CPUs
// are read.
func (h *Handle) IdleTimes() ([]time.Duration, error) {
	times, err := h.idleTimes()
	return times, opError("read the idle times of CPUs", err)
}

func (h *Handle) idleTimes() ([]time.Duration, error) {
	version, err := h.sysctlVersion()
	if err != nil {
		return nil, err
	}
	b, err := h.buffers.get()
	if err != nil {
		return nil, err
	}
	defer h.buffers.put(b)
	p, addr := b.at(0)
	records, recordsAddr := b.at(listOffset)
	op := (*sysctl)(p)
	op.cmd, op.interfaceVersion = sysctlGetCPUInfo, version
	u := (*getCPUInfo)(unsafe.Pointer(&op.u)) // another member of the union
	*u = getCPUInfo{maxCPUs: uint32(idleMax), buffer: recordsAddr}
	if _, err := h.hypercall(hypercallSysctl, addr); err != nil {
		return nil, err
	}
	n := int(u.numCPUs)
	if n > idleMax {
		return nil, fmt.Errorf("%w: %d CPUs, at most %d were requested", ErrBroken, n, idleMax)
	}
	times := make([]time.Duration, n)
	for i, c := range unsafe.Slice((*cpuInfo)(records), n) {
		times[i] = time.Duration(c.idleTime)
	}
	return times, nil
}
