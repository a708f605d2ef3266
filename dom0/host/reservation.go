// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vlibos/vlibos/rtsched"
)

// Reservation is CPU time that is promised, a budget in every period, and what
// may be charged to it. Xen's module has the same: vlib_op_reserve makes it, bind
// names the holder, allow the callees.
type Reservation struct {
	rtsched.Task // its number, and the budget and period of each server
	// Servers is their number, one for a vCPU: vCPU v of a domain runs on server v
	// modulo that. 0: one. AllVCPUs: as many as its domain has vCPUs.
	Servers int `json:"servers,omitempty"`
	Holder
	Callees []Callee `json:"callees,omitempty"`
	// DeviceModel says that what works for its domain in this system is on it, too, as
	// long as the domain has a device model there.
	DeviceModel bool  `json:"device_model,omitempty"`
	Class       Class `json:"class,omitempty"` // of the domain that holds it
	// Resume says that an earlier master made it: its holder may be partly gone.
	Resume bool `json:"-"`
	// Helpers are those of its domain that the host puts on it.
	Helpers []Helper `json:"-"`
}

// AllVCPUs is the number of servers of a domain each of whose vCPUs has one.
const AllVCPUs = -1

// Number of its servers; of AllVCPUs, as many as the domain has vCPUs now.
func (r Reservation) Number() int {
	n := r.Servers
	if n == AllVCPUs && r.Domain != nil {
		n = min(r.Domain.VCPUs, rtsched.MaxServers)
	}
	return max(n, 1)
}

// Whole is the reservation as one server, for hosts that keep a budget for a
// domain as a whole.
func (r Reservation) Whole() rtsched.Task {
	t := r.Task
	t.Budget *= time.Duration(r.Number())
	return t
}

// ParseVCPUs reads a number of servers: of vCPUs, or "all".
func ParseVCPUs(text string) (int, error) {
	if text == "all" {
		return AllVCPUs, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > rtsched.MaxServers {
		return 0, fmt.Errorf("%.80q vCPUs are %w: 1 to %d, or all", text, rtsched.ErrRange, rtsched.MaxServers)
	}
	return n, nil
}

// CheckServers returns an rtsched.ErrRange for a number of servers that no
// reservation with this holder has.
func (r Reservation) CheckServers() error {
	switch {
	case r.DeviceModel && r.Servers != 0 && r.Servers != 1:
		return fmt.Errorf("a device model on a reservation with several servers: %w: it would run on the first: leave one of the two out", ErrNotAllowed)
	case r.Servers == AllVCPUs && r.Domain != nil:
	case r.Servers < 0 || r.Servers > rtsched.MaxServers:
		return fmt.Errorf("the number of servers, %d, is %w: 1 to %d are allowed, or all vCPUs of a domain", r.Servers, rtsched.ErrRange, rtsched.MaxServers)
	case r.Servers > 1 && r.Threads != nil:
		return fmt.Errorf("%d servers: %w: threads share one", r.Servers, ErrNotAllowed)
	}
	return nil
}

// Holder is what runs on a reservation: a domain, or threads of this system. A
// reservation without a holder pays for calls and for nothing else.
type Holder struct {
	Domain  *Domain  `json:"domain,omitempty"`
	Threads *Members `json:"threads,omitempty"` // nil if Domain is not
}

// Kind is the kind of a reservation's holder.
type Kind string

// The kinds of holders.
const (
	KindDomain  Kind = "domain"
	KindThreads Kind = "threads"
	KindNone    Kind = "calls" // it pays for calls alone
)

// Kind of the holder.
func (h Holder) Kind() Kind {
	switch {
	case h.Domain != nil:
		return KindDomain
	case h.Threads != nil:
		return KindThreads
	}
	return KindNone
}

// Callee is a domain whose work for calls may be charged to a reservation.
type Callee struct {
	Domain
	// Listens says that the domain's server tells the hypervisor when it has
	// answered a call (vlib_op_listen). Without, the caller does.
	Listens bool `json:"listens,omitempty"`
}

// Class says whether the throttle may take the background time of a domain. Its
// budget is never taken.
type Class string

// The classes. Batch is the default.
const (
	Batch    Class = "batch"    // the throttle takes its background time
	Critical Class = "critical" // the throttle spares it
)

// Classes are all classes, for messages and help.
var Classes = []string{string(Batch), string(Critical)}

// ErrClass says that a name is no class.
var ErrClass = errors.New("no such class")

// Check returns ErrClass for a name that is no class. The empty name is allowed.
func (c Class) Check() error {
	if c != "" && !slices.Contains(Classes, string(c)) {
		return fmt.Errorf("class %.80q: %w: want one of %s", string(c), ErrClass, strings.Join(Classes, ", "))
	}
	return nil
}

// Members are threads of this system, which controls the host: a process with
// all that it starts, or one thread alone.
type Members struct {
	PID int `json:"pid"`
	TID int `json:"tid,omitempty"` // of the one thread; 0: the process
	// Start is when that process or thread was started, in clock ticks since
	// boot. It tells the process from another that has the number later.
	Start uint64 `json:"start"`
}

// String is how messages name the threads.
func (m Members) String() string {
	if m.TID != 0 {
		return fmt.Sprintf("thread %d of process %d", m.TID, m.PID)
	}
	return fmt.Sprintf("process %d", m.PID)
}

// Usage is what a reservation has used since it was made.
type Usage struct {
	Foreground time.Duration `json:"foreground_ns"`  // CPU time on the budget
	Background time.Duration `json:"background_ns"`  // CPU time beyond the budget
	Throttled  time.Duration `json:"throttled_ns"`   // how long the throttle kept it from running in background
	Left       time.Duration `json:"left_ns"`        // of the budget, now
	Next       time.Duration `json:"next_refill_ns"` // until the next refill
	// Servers are the parts of a reservation with several, where the host keeps a
	// budget for each.
	Servers []Server `json:"usage_of_servers,omitempty"`
	// Beside are those that are on it beside its domain.
	Beside []Helper `json:"beside,omitempty"`
}

// Server is one server of a reservation, and what it has used.
type Server struct {
	CPU        int           `json:"cpu"`        // of its vCPU; -1: it has none
	Unadmitted bool          `json:"unadmitted"` // on that CPU
	Foreground time.Duration `json:"foreground_ns"`
	Background time.Duration `json:"background_ns"`
	Left       time.Duration `json:"left_ns"`
}
