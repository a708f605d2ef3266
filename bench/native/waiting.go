// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Waiting is the part that compares the ways to wait.
const Waiting = "waiting"

// ways to wait, and the server that suits each. Blocking is the reference.
var ways = []struct {
	name string
	wait vlibcall.WaitPolicy
	port transport.Port
}{
	{"block", vlibcall.Block, portBlock},
	{"spin", vlibcall.Spin, portSpin},
	{"adaptive", vlibcall.SpinThenBlock, portBlock},
}

// waiting compares the ways to wait of 1, 2 and 8 clients, on two CPUs, one of
// which is the server's, and on the server's alone. A figure is the time of the
// slot for each call of all clients. The value of a record is one client's on two
// CPUs, over blocking.
func (c *client) waiting(ctx context.Context, o Options) ([]bench.Record, error) {
	times := make(map[string][]float64)
	name := func(way string, clients, cpus int) string {
		return fmt.Sprintf("%s_clients_%d_cpus_%d_ns", way, clients, cpus)
	}
	own, err := affinity()
	if err != nil {
		return nil, err
	}
	var peer unix.CPUSet
	peer.Set(o.PeerCPU)
	for cpus, set := range map[int]*unix.CPUSet{2: own, 1: &peer} {
		if err := moveTo(set); err != nil {
			return nil, err
		}
		for range o.Repeats {
			for _, clients := range []int{1, 2, 8} {
				for _, w := range ways {
					ns, err := c.share(ctx, clients, w.port, w.wait)
					if err != nil {
						return nil, errors.Join(err, moveTo(own))
					}
					times[name(w.name, clients, cpus)] = append(times[name(w.name, clients, cpus)], ns)
				}
			}
		}
	}
	if err := moveTo(own); err != nil {
		return nil, err
	}
	raw := make(map[string]float64)
	for n, all := range times {
		raw[n] = bench.Quantile(all, 0.5)
	}
	var records []bench.Record
	for _, w := range ways {
		r := bench.Record{
			Name: "call.native.waiting." + w.name, Unit: "ratio", Better: bench.Lower, Raw: map[string]float64{"repeats": float64(o.Repeats)},
			Value: raw[name(w.name, 1, 2)] / raw[name("block", 1, 2)],
		}
		for _, cpus := range []int{1, 2} {
			for _, clients := range []int{1, 2, 8} {
				r.Raw[name(w.name, clients, cpus)] = raw[name(w.name, clients, cpus)]
				r.Raw[fmt.Sprintf("%s_clients_%d_cpus_%d_to_block", w.name, clients, cpus)] =
					raw[name(w.name, clients, cpus)] / raw[name("block", clients, cpus)]
			}
		}
		records = append(records, r)
	}
	return records, nil
}

// share has clients call for a slot, each in a channel of its own, and returns the
// time for each call, in nanoseconds.
func (c *client) share(ctx context.Context, clients int, port transport.Port, wait vlibcall.WaitPolicy) (float64, error) {
	var channels []*vlibcall.Channel
	defer func() {
		for _, ch := range channels {
			ch.Close()
		}
	}()
	for range clients {
		ch, err := c.open(ctx, port, vlibcall.Options{Wait: wait})
		if err != nil {
			return 0, err
		}
		channels = append(channels, ch)
	}
	var calls atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	begin := time.Now()
	for _, ch := range channels {
		all.Go(func() {
			dst := make([]byte, 0, len(small))
			for first := true; first || time.Since(begin) < c.slot; first = false { // one that begins late calls, too
				if _, err := ch.Call(context.Background(), library, functionEcho, small[:], dst); err != nil {
					failed.Store(&err)
					return
				}
				calls.Add(1)
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(took.Nanoseconds()) / float64(calls.Load()), nil
}

func affinity() (*unix.CPUSet, error) {
	set := new(unix.CPUSet)
	return set, os.NewSyscallError("sched_getaffinity", unix.SchedGetaffinity(0, set))
}

// moveTo moves all threads of this process.
func moveTo(set *unix.CPUSet) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err == nil {
			err = unix.SchedSetaffinity(id, set)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return os.NewSyscallError("sched_setaffinity", err)
		}
	}
	return nil
}
