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

func (h *Handle) idleTimes() (times []time.Duration, err error) {
	err = sysctlOf(h, sysctlGetCPUInfo, func(u *getCPUInfo, b *buffer, ask func() error) error {
		records, addr := b.at(listOffset)
		*u = getCPUInfo{maxCPUs: uint32(idleMax), buffer: addr}
		if err := ask(); err != nil {
			return err
		}
		n := int(u.numCPUs)
		if n > idleMax {
			return fmt.Errorf("%w: %d CPUs, at most %d were requested", ErrBroken, n, idleMax)
		}
		times = make([]time.Duration, n)
		for i, c := range unsafe.Slice((*cpuInfo)(records), n) {
			times[i] = time.Duration(c.idleTime)
		}
		return nil
	})
	return times, err
}
