// SPDX-License-Identifier: Apache-2.0

package vlibos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Environment is the variable with the number of the reservation that 'vlibmaster
// run' has started a program on.
const Environment = "VLIBOS_RESERVATION"

// ReserveOptions say what to reserve. Budget and Period are necessary.
type ReserveOptions struct {
	// Budget of CPU time in each Period, for the program itself and for what
	// domains execute for its calls.
	Budget, Period time.Duration
	// Calls are the domains that may be charged to it, by number, name or UUID.
	Calls []string
	// Thread means the calling thread alone (runtime.LockOSThread), without what it
	// starts. Else it is the whole process, with all that it starts.
	Thread bool
	// Name is for people; default the program's.
	Name string
	// RunDir is the master's directory; default $VLIBOS_RUN_DIR, or /run/vlibos.
	RunDir string
}

// Reservation is a budget of this process or thread, and of its calls. It ends
// with the process or thread at the latest.
type Reservation struct {
	socket string
	number uint32
	once   sync.Once
	err    error
}

// Reserve asks the host's master (vlibmaster serve) for a reservation; only root
// may. While there is budget, the threads are real-time (SCHED_FIFO), shorter
// periods first; beyond it they get the CPU time that nothing else needs. Domains
// that it calls run on the same budget: name it in [Options].
//
// Errors: api.ErrNoMaster of package dom0/api, host.ErrNotAdmitted with the largest
// budget that would fit, host.ErrNoDomain, fs.ErrPermission.
func Reserve(ctx context.Context, o ReserveOptions) (*Reservation, error) {
	members := host.Members{PID: os.Getpid()}
	if o.Thread {
		members.TID = unix.Gettid()
	}
	var err error
	if members.Start, err = host.Start(members); err != nil {
		return nil, err
	}
	want := api.Reservation{Name: cmp.Or(o.Name, filepath.Base(os.Args[0]))}
	want.Task = rtsched.Task{Budget: o.Budget, Period: o.Period}
	want.Threads = &members
	for _, ref := range o.Calls {
		want.Callees = append(want.Callees, host.Callee{Domain: host.Domain{Name: ref}})
	}
	r := &Reservation{socket: filepath.Join(Options{RunDir: o.RunDir}.runDir(), api.SocketName)}
	c := client.New(r.socket)
	defer c.Close()
	got, err := c.Reserve(ctx, want)
	if err != nil {
		return nil, err
	}
	r.number = got.ID
	return r, nil
}

// Number is what [Options] and vlibcall.Options want.
func (r *Reservation) Number() transport.Reservation { return transport.Reservation(r.number) }

// Close ends the reservation: its threads are ordinary threads again, and calls on
// it are refused. Idempotent.
func (r *Reservation) Close() error {
	r.once.Do(func() {
		c := client.New(r.socket)
		defer c.Close()
		if _, err := c.Unreserve(context.Background(), r.number); !errors.Is(err, api.ErrNotReserved) {
			r.err = err
		}
	})
	return r.err
}

// started is the reservation that this program was started on; 0: on none.
func started() (transport.Reservation, error) {
	text := os.Getenv(Environment)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s=%q is not the number of a reservation", Environment, text)
	}
	return transport.Reservation(n), nil
}
