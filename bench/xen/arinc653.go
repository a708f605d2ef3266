// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl"
)

// What no tool of Xen does: to set the frame of ARINC653 (xen/include/public/sysctl.h).
const (
	hypercallSysctl   = 35
	sysctlSchedulerOp = 19
	schedulerPutInfo  = 0
	framesSlots       = 64
)

// frame is struct xen_sysctl_arinc653_schedule. Lengths are in ns.
type frame struct {
	Length uint64
	Slots  uint8
	_      [7]byte
	Slot   [framesSlots]struct {
		Domain [16]byte // UUID
		VCPU   uint32
		_      uint32
		Length uint64
	}
}

// setFrame is struct xen_sysctl with its member scheduler_op.
type setFrame struct {
	Command, Version         uint32
	Pool, Scheduler, PutInfo uint32
	_                        uint32
	Frame                    uint64 // address
	_                        [104]byte
}

// arinc653 moves the domains, and their CPU, to a pool under that scheduler. In each
// period each has a slot of the same length as its budget under RTDS, and no other time.
func arinc653(ctx context.Context, b *machine) error {
	const pool, cpu = "arinc653", "1"
	if err := errors.Join(
		xl(ctx, "cpupool-cpu-remove", "Pool-0", cpu),
		xl(ctx, "cpupool-create", fmt.Sprintf("name=%q", pool), `sched="arinc653"`, `cpus=["`+cpu+`"]`)); err != nil {
		return err
	}
	var f frame
	var number uint32
	for domid, budget := range []time.Duration{measured: taskBudget, firstSpins: 4 * taskBudget, secondSpins: 4 * taskBudget} {
		if budget == 0 {
			continue // Dom0 stays
		}
		if err := xl(ctx, "cpupool-migrate", fmt.Sprint(domid), pool); err != nil {
			return err
		}
		info, err := b.xen.DomainInfo(uint16(domid))
		if err != nil {
			return err
		}
		f.Slot[f.Slots].Domain, f.Slot[f.Slots].Length = info.UUID, uint64(budget)
		f.Slots++
		number = info.CPUPool
	}
	f.Length = uint64(taskPeriod)
	versions, err := b.xen.Interfaces()
	if err != nil {
		return err
	}
	// Xen reads the frame at its address, which must not move and be in memory.
	mem, err := unix.Mmap(-1, 0, binary.Size(f), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_LOCKED|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	_, err = binary.Encode(mem, binary.LittleEndian, f)
	op := setFrame{
		Command: sysctlSchedulerOp, Version: versions.Sysctl, Pool: number, Scheduler: uint32(xenctl.ARINC653),
		PutInfo: schedulerPutInfo, Frame: uint64(uintptr(unsafe.Pointer(&mem[0]))),
	}
	request, failed := binary.Append(nil, binary.LittleEndian, op)
	if err = errors.Join(err, failed); err == nil {
		_, err = b.xen.HypercallMemory(hypercallSysctl, [5]uint64{}, 0, request)
	}
	if err = errors.Join(err, unix.Munmap(mem)); err != nil {
		return fmt.Errorf("set the frame of ARINC653: %w", err)
	}
	return nil
}
