// SPDX-License-Identifier: Apache-2.0

package reservation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/control"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/dom0/master"
)

// Environment is the variable with the number of the reservation that a program
// was started on.
const Environment = "VLIBOS_RESERVATION"

// Options of Reserve.
type Options struct {
	Budget, Period time.Duration
	// Calls are the domains that it may call, by number, name or UUID.
	Calls []string
	// Thread means the calling thread alone, which its goroutine has locked,
	// and not what it starts; else it is the whole process with all that it
	// starts.
	Thread bool
	// Name is for people; default the program's.
	Name string
	// Socket of the master; default control.DefaultSocket.
	Socket string
}

// Reservation is one that this process asked for. It ends with the process, or
// the thread.
type Reservation struct {
	socket string
	number uint32
	once   sync.Once
	err    error
}

// Reserve asks the master for one. Errors are those of control.Client.Reserve.
func Reserve(ctx context.Context, o Options) (*Reservation, error) {
	if o.Name == "" {
		o.Name = filepath.Base(os.Args[0])
	}
	if o.Socket == "" {
		o.Socket = control.DefaultSocket
	}
	m := host.Members{PID: os.Getpid()}
	if o.Thread {
		m.TID = unix.Gettid()
	}
	var err error
	if m.Start, err = threads.Start(m); err != nil {
		return nil, err
	}
	c := control.NewClient(o.Socket)
	defer c.Close()
	h, err := c.Reserve(ctx, master.Claim{Members: m, Name: o.Name, Budget: o.Budget, Period: o.Period, Calls: o.Calls})
	if err != nil {
		return nil, err
	}
	return &Reservation{socket: o.Socket, number: h.Reservation}, nil
}

// Number is what vlibcall.Options.Reservation wants.
func (r *Reservation) Number() uint32 { return r.number }

// Close ends the reservation: those who were on it are ordinary threads, and
// calls on it are refused. Idempotent.
func (r *Reservation) Close() error {
	r.once.Do(func() {
		c := control.NewClient(r.socket)
		defer c.Close()
		_, err := c.Unreserve(context.Background(), r.number)
		if !errors.Is(err, master.ErrNotReserved) {
			r.err = err
		}
	})
	return r.err
}

// FromEnvironment is the number of the reservation that this program was started
// on, 0 if on none.
func FromEnvironment() (uint32, error) {
	text := os.Getenv(Environment)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s=%q is no reservation's number", Environment, text)
	}
	return uint32(n), nil
}
