// SPDX-License-Identifier: Apache-2.0

package domains

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
)

// modelNodes are where toolstacks write the number of a domain's device model: libxl
// (libxl_dm.c) and xenopsd (its Service module). A domain cannot write there.
var modelNodes = [...]string{"/local/domain/%d/image/device-model-pid", "/local/domain/%d/qemu-pid"}

// isModel says which domain a device model is for, as one of its arguments, which
// both toolstacks give it.
const isModel = "\x00-xen-domid\x00%d\x00"

// backendAge is how old the list of back ends may be.
const backendAge = time.Second

// backendName is the name of a thread that netback or blkback makes for one domain:
// "vif7.0-q0-guest-rx" or "7.xvda-0" (the kernel's xenvif_connect_data and
// blkback_name). Netback sends in soft interrupts, which have no thread.
var backendName = regexp.MustCompile(`^(?:vif([0-9]+)\.[0-9]+-|([0-9]+)\..+-[0-9]+$)`)

// backendOf returns the domain that a thread of the kernel with that name serves.
func backendOf(comm string) (domid uint16, ok bool) {
	m := backendName.FindStringSubmatch(comm)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseUint(m[1]+m[2], 10, 16)
	return uint16(n), err == nil
}

// Helpers are what works for a domain in Dom0, with the CPU time that each has used: its
// device model, and the back ends that are threads of their own. A part that cannot be
// read is left out.
func (l *List) Helpers(ctx context.Context, domid uint16) (all []host.Helper) {
	if m := l.model(ctx, domid); m != nil {
		all = append(all, *m)
	}
	l.mu.Lock()
	if time.Since(l.listed) > backendAge {
		l.backends, l.listed = backends(), time.Now()
	}
	all = append(all, l.backends[domid]...)
	l.mu.Unlock()
	all = slices.DeleteFunc(all, func(h host.Helper) bool {
		start, err := host.Start(h.Members)
		return !h.Ended && (err != nil || start != h.Start)
	})
	for i := range all {
		if !all[i].Ended {
			all[i].CPU = processTime(all[i].PID)
		}
	}
	return all
}

// model is the device model that a toolstack names, or nil. A number is only taken for
// a process that says itself which domain it is for: numbers are reused.
func (l *List) model(ctx context.Context, domid uint16) *host.Helper {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var named *host.Helper
	for node := range modelNodes {
		pid, err := strconv.Atoi(strings.TrimSpace(l.modelNumber(ctx, domid, node)))
		if err != nil || pid <= 0 {
			continue
		}
		h := host.Helper{Model: true, Members: host.Members{PID: pid}}
		start, err := host.Start(h.Members)
		line, failed := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || failed != nil || !bytes.Contains(line, fmt.Appendf(nil, isModel, domid)) {
			h.Ended = true
			named = &h
			continue
		}
		program, _, _ := strings.Cut(string(line), "\x00")
		h.Name, h.Start = filepath.Base(program), start
		return &h
	}
	return named
}

// modelNumber is what one of modelNodes says of a domain, "" if there is no node. While
// xenstored does not answer it is what that said last.
func (l *List) modelNumber(ctx context.Context, domid uint16, node int) string {
	text, err := l.store.Read(ctx, fmt.Sprintf(modelNodes[node], domid))
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.known[domid]
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.models[node]
	}
	if ok {
		d.models[node] = string(text)
		l.known[domid] = d
	}
	return string(text)
}

// kernelThread is the flag of a thread of the kernel (PF_KTHREAD), which no process
// can have.
const kernelThread = 1 << 21

// backends are the threads of the kernel that serve domains.
func backends() map[uint16][]host.Helper {
	all := make(map[uint16][]host.Helper)
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil // a malformed pattern
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		begin, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
		if begin < 0 || end < begin {
			continue
		}
		comm := string(text[begin+1 : end])
		fields := strings.Fields(string(text[end+1:]))
		domid, ok := backendOf(comm)
		if !ok || len(fields) < 20 {
			continue
		}
		flags, _ := strconv.ParseUint(fields[6], 10, 32)
		start, _ := strconv.ParseUint(fields[19], 10, 64)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if flags&kernelThread != 0 {
			all[domid] = append(all[domid], host.Helper{Name: comm, Members: host.Members{PID: pid, TID: pid, Start: start}})
		}
	}
	return all
}

// processTime is the CPU time of a process and all its threads that it had; 0 if it has
// ended. The clock's number is the kernel's (MAKE_PROCESS_CPUCLOCK, CPUCLOCK_SCHED).
func processTime(pid int) time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|2), &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
