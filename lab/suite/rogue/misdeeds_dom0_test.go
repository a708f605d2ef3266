// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

var (
	protocol = []error{vlibcall.ErrProtocol}
	late     = []error{vlibcall.ErrTimeout}
	gone     = []error{vlibcall.ErrGone}
	fine     = []error{nil}
	anything = []error{
		nil, vlibcall.ErrProtocol, vlibcall.ErrTimeout, vlibcall.ErrGone, vlibcall.ErrFailed, vlibcall.ErrNoLibrary, vlibcall.ErrNoFunction,
		vlibcall.ErrSignature, vlibcall.ErrCrashed, vlibcall.ErrCancelled, vlibcall.ErrTooLarge, vlibcall.ErrBadRequest, vlibcall.ErrDenied,
	}
)

// expected has, for each misdeed, the valid results of opening a channel and of two calls
// with an input of the given size.
var expected = map[string]struct {
	open          []error
	first, second []error
	size, input   int // by default 64 KiB and 100 bytes
	inFlight      int // the first call is a batch of as many; by default there is none
	// between: the server misbehaves as soon as it can after an answer. A call that is
	// faster is a valid one, and the next finds out.
	between bool
}{
	"greeting is garbage":          {open: protocol},
	"greeting is huge":             {open: protocol},
	"greeting of another revision": {open: protocol},

	"answer is garbage":                    {open: protocol},
	"answer is huge":                       {open: protocol},
	"answer with a number too large":       {open: protocol},
	"no answer":                            {open: late},
	"refusal with escapes":                 {open: []error{vlibcall.ErrDenied}},
	"answer that comes and goes":           {open: []error{vlibcall.ErrProtocol, vlibcall.ErrTimeout, vlibcall.ErrGone}},
	"request removed":                      {open: late},
	"quota exhausted":                      {open: late},
	"header reference of nothing":          {open: protocol},
	"header reference not granted":         {open: protocol},
	"header reference of xenstore's page":  {open: protocol},
	"header revoked before it is mapped":   {open: protocol},
	"header granted to another domain":     {open: protocol},
	"header granted for reading":           {open: protocol},
	"directory reference of nothing":       {open: protocol},
	"event channel that does not exist":    {open: protocol},
	"event channel out of range":           {open: protocol},
	"event channel of xenstore":            {open: protocol},
	"event channel for another domain":     {open: protocol},
	"wrong magic":                          {open: protocol},
	"wrong revision":                       {open: protocol},
	"wrong size":                           {open: protocol},
	"revision 1":                           {open: protocol},
	"wrong generation":                     {open: protocol},
	"random header":                        {open: protocol},
	"answer before any question":           {open: protocol},
	"directory of nothing":                 {open: fine, first: protocol, second: protocol, input: 3000},
	"directory with one wrong reference":   {open: fine, first: protocol, second: protocol, input: 3000},
	"directory that loops":                 {open: protocol, size: 8 << 20},
	"directory of the header page":         {open: protocol, size: 8192},
	"header changed after it was verified": {open: fine, first: fine, second: fine},

	"unknown number":                           {open: fine, first: protocol, second: protocol},
	"number of the next question":              {open: fine, first: protocol, second: protocol},
	"stale number":                             {open: fine, first: fine, second: protocol},
	"repeated number":                          {open: fine, first: fine, second: protocol},
	"answer without a question":                {open: fine, first: anything, second: protocol, between: true},
	"slot taken away":                          {open: fine, first: protocol, second: protocol},
	"output longer than the slot":              {open: fine, first: protocol, second: protocol},
	"output in two places":                     {open: fine, first: protocol, second: protocol},
	"output longer than the header page":       {open: fine, first: protocol, second: protocol},
	"output longer than the channel":           {open: fine, first: protocol, second: protocol},
	"unknown status":                           {open: fine, first: protocol, second: protocol},
	"error text with escapes":                  {open: fine, first: []error{vlibcall.ErrFailed}, second: []error{vlibcall.ErrFailed}},
	"answer scribbled on":                      {open: []error{nil, vlibcall.ErrProtocol}, first: anything, second: anything},
	"random bytes in all that is the server's": {open: []error{nil, vlibcall.ErrProtocol}, first: anything, second: anything},
	"never answers":                            {open: fine, first: late, second: late},
	"event storm":                              {open: fine, first: late, second: late},
	"event storm, with answers":                {open: fine, first: fine, second: fine},
	"alive byte cleared":                       {open: fine, first: gone, second: gone},
	"answer's node removed in mid-call":        {open: fine, first: gone, second: gone},
	"pages revoked in mid-call":                {open: fine, first: late, second: late},
	"nodes without end":                        {open: fine, first: fine, second: fine},

	"batch: one answered twice":           {open: fine, first: anything, second: protocol, inFlight: batch},
	"batch: one never answered":           {open: fine, first: late, second: fine, inFlight: batch},
	"batch: answers to nothing":           {open: fine, first: protocol, second: protocol, inFlight: batch},
	"batch: slots beyond those agreed on": {open: fine, first: fine, second: fine, inFlight: batch},
	"batch: in the other order":           {open: fine, first: fine, second: late, inFlight: batch},
	"batch: scribbled on":                 {open: fine, first: anything, second: anything, inFlight: batch},
}

func TestMisdeedsAreErrorsAndLeaveNothing(t *testing.T) {
	if len(expected) != len(misdeeds) {
		t.Errorf("%d misdeeds, %d expectations", len(misdeeds), len(expected))
	}
	one, two := domain(t, "vlib1"), domain(t, "vlib2")
	callers := []*steady{startSteady(t, "vlib1", one), startSteady(t, "vlib2", two)}
	watch := open(t, one, vlibcall.Options{Size: 8192, Timeout: bound})
	defer closed(t, watch)
	for _, s := range callers {
		defer s.end()
	}
	warm(t, one, 1)
	inUse := grants(t, host.DomainID(t, "vlib1"))
	for i, m := range misdeeds {
		t.Run(m.name, func(t *testing.T) {
			want, ok := expected[m.name]
			if !ok {
				t.Fatal("nothing is expected of it")
			}
			if want.size == 0 {
				want.size = 64 << 10
			}
			if want.input == 0 {
				want.input = 100
			}
			calls := [][]error{want.first, want.second}
			limit := callTimeout(calls)
			before := take(t, watch)
			before.goroutines++ // the port's watch
			misdeed := func() {
				ctx, cancel := context.WithTimeout(t.Context(), openTimeout(want.open))
				defer cancel()
				start := time.Now()
				c, err := vlibcall.Open(ctx, one, vlibcall.Options{Port: firstDeed + transport.Port(i), Size: want.size, InFlight: want.inFlight, Timeout: limit})
				ended(t, "open", start, openTimeout(want.open), err, want.open)
				if err != nil {
					return
				}
				for i, want2 := range calls {
					start = time.Now()
					requests := []vlibcall.Request{{}}
					if i == 0 && want.inFlight > 0 {
						requests = make([]vlibcall.Request, want.inFlight)
					}
					for j := range requests {
						requests[j] = vlibcall.Request{Library: "t", Function: "f", Input: make([]byte, want.input)}
					}
					err := c.Batch(t.Context(), requests)
					for i == 1 && want.between && err == nil && time.Since(start) < limit {
						err = c.Batch(t.Context(), requests)
					}
					ended(t, []string{"first call", "second call"}[i], start, limit, err, want2)
					if err == nil && len(want2) == 1 && string(requests[0].Output) != "ok" {
						t.Errorf("output %.20q", requests[0].Output)
					}
				}
				closed(t, c)
			}
			misdeed()
			flat(t, watch, before)
			for _, s := range callers {
				s.check(t)
			}
		})
	}
	succeeds(t, func() error {
		if now := grants(t, host.DomainID(t, "vlib1")); now > inUse {
			return fmt.Errorf("Xen has %d grants of vlib1 in use, %d before", now, inUse)
		}
		return nil
	})
	for _, s := range callers {
		t.Logf("honest caller of %s: %d calls, longest %v", s.name, s.calls.Load(), s.longest)
	}
}

// openTimeout is short only if opening must time out: the machine is slow.
func openTimeout(want []error) time.Duration {
	if errors.Is(want[0], vlibcall.ErrTimeout) {
		return 8 * time.Second
	}
	return 20 * time.Second
}

// callTimeout is short only if every call may time out.
func callTimeout(calls [][]error) time.Duration {
	for _, want := range calls {
		if !one(vlibcall.ErrTimeout, want...) {
			return 3 * time.Second
		}
	}
	return timeout
}

func ended(t *testing.T, what string, start time.Time, limit time.Duration, err error, want []error) {
	t.Helper()
	took := time.Since(start)
	t.Logf("%s: %v after %v", what, err, took.Round(time.Millisecond))
	if !one(err, want...) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	if took > limit+bound {
		t.Errorf("%s took %v with a timeout of %v", what, took, limit)
	}
	if err != nil {
		control(t, err)
	}
}

// A server whose control channel is false is asked through xenstore again. One that never
// answers there costs one Dial.
func TestFalseControlChannelsAreNotUsed(t *testing.T) {
	one := domain(t, "vlib1")
	watch := open(t, one, vlibcall.Options{Size: 8192, Timeout: bound})
	defer closed(t, watch)
	warm(t, one, 1)
	for i, m := range misdeeds {
		want := expected[m.name]
		if len(want.open) != 1 || want.open[0] != nil || errors.Is(want.first[0], vlibcall.ErrFailed) || m.name == "batch: scribbled on" {
			continue // a refusal is one in either place
		}
		t.Run(m.name, func(t *testing.T) {
			before := take(t, watch)
			before.goroutines++ // the port's watch
			for opened := range 4 {
				results, limit := fine, openTimeout(fine)
				if opened == 1 {
					results, limit = []error{nil, vlibcall.ErrTimeout}, 3*time.Second
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				start := time.Now()
				c, err := vlibcall.Open(ctx, one, vlibcall.Options{Port: firstDeed + transport.Port(i), Size: 16384})
				ended(t, fmt.Sprint("open ", opened), start, limit, err, results)
				cancel()
				if err == nil {
					closed(t, c)
				}
			}
			flat(t, watch, before)
		})
	}
}
