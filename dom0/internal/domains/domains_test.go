// SPDX-License-Identifier: Apache-2.0

package domains

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/xenctl"
)

type fakeHost map[uint16]xenctl.DomainInfo

func (h fakeHost) Domains() (all []xenctl.DomainInfo, err error) {
	for id := range uint16(10) {
		if info, ok := h[id]; ok {
			all = append(all, info)
		}
	}
	return all, nil
}

func (h fakeHost) VCPU(domid uint16, vcpu int) (xenctl.VCPU, error) {
	if domid == 4 {
		return xenctl.VCPU{}, xenctl.ErrNoDomain
	}
	return xenctl.VCPU{ID: vcpu, Online: vcpu != 1, CPU: 3 - vcpu}, nil
}

func (h fakeHost) DomainInfo(domid uint16) (xenctl.DomainInfo, error) { return h[domid], nil }

func (h fakeHost) Affinity(uint16, int) ([]int, error) { return []int{0, 1, 2, 3}, nil }

func (h fakeHost) Pool(id uint32) (xenctl.Pool, error) {
	if id == 1 {
		return xenctl.Pool{}, errPool
	}
	return xenctl.Pool{ID: id, Scheduler: xenctl.Credit2, CPUs: []int{2, 3, 4}}, nil
}

var errPool = errors.New("its pool is gone")

// store is xenstored; nil does not answer.
type store map[string]string

func (s *store) Read(ctx context.Context, path string) ([]byte, error) {
	if *s == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if v, ok := (*s)[path]; ok {
		return []byte(v), nil
	}
	return nil, fs.ErrNotExist
}

// busyHost has a domain that runs all the time. Its callers wait between the reading of a
// record and its use.
type busyHost struct {
	fakeHost
	reads atomic.Int64
}

func (h *busyHost) Domains() ([]xenctl.DomainInfo, error) {
	used := time.Duration(h.reads.Add(1)) * time.Second
	time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
	return []xenctl.DomainInfo{{ID: 1, CPUTime: used}}, nil
}

func TestListsAtOnceKnowADomainForTheSame(t *testing.T) {
	l := New(&busyHost{}, &store{"/local/domain/1/name": "web"}, true)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 50 {
				all, err := l.All(t.Context())
				if err != nil || len(all) != 1 || all[0].Generation != 1 {
					t.Errorf("%#v, %v", all, err)
					return
				}
			}
		})
	}
	work.Wait()
}

func TestListKeepsNamesWithoutXenstored(t *testing.T) {
	h := fakeHost{
		0: {ID: 0, MaxVCPUID: 0}, 1: {ID: 1, MaxVCPUID: 2, UUID: [16]byte{0xab, 15: 1}, CPUTime: time.Minute}, 2: {ID: 2, Dying: true},
		3: {ID: 3, MaxVCPUID: -1, Xenstore: true}, 4: {ID: 4, MaxVCPUID: 0},
	}
	s := store{"/local/domain/1/name": "web"}
	l := New(h, &s, true)
	const zero = "00000000-0000-0000-0000-000000000000"
	want := []host.Domain{
		{ID: "0", Generation: 1, UUID: zero, CPUs: []int{3}, VCPUs: 1, Control: true},
		{ID: "1", Generation: 2, UUID: "ab000000-0000-0000-0000-000000000001", Name: "web", CPUs: []int{1, 3}, VCPUs: 3, Unplugged: []int{1}, Work: host.Work{CPU: time.Minute}},
		{ID: "3", Generation: 3, UUID: zero, Control: true},
	}
	all := func() []host.Domain {
		t.Helper()
		got, err := l.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := all(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	s = nil
	begun := time.Now()
	if got := all(); !reflect.DeepEqual(got, want) {
		t.Errorf("without xenstored: %+v\nwant %+v", got, want)
	}
	if took := time.Since(begun); took > 10*patience {
		t.Errorf("without xenstored it takes %v", took)
	}
	// With another handle it is the same domain, with the same name.
	h[1] = xenctl.DomainInfo{ID: 1, MaxVCPUID: 0, UUID: [16]byte{1}, CPUTime: time.Minute}
	if got := all(); got[1].Name != "web" || got[1].Generation != 2 {
		t.Errorf("%+v", got[1])
	}
	// Another domain with that number does not have its name.
	h[1] = xenctl.DomainInfo{ID: 1, MaxVCPUID: 0, UUID: [16]byte{1}}
	if got := all(); got[1].Name != "" || got[1].Generation <= 3 {
		t.Errorf("%+v", got[1])
	}
}

// slowStore answers later than a listing waits that has earlier names.
type slowStore struct{ store }

func (s *slowStore) Read(ctx context.Context, path string) ([]byte, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(2 * patience):
		return s.store.Read(ctx, path)
	}
}

func TestFirstListingWaitsForNames(t *testing.T) {
	l := New(fakeHost{1: {ID: 1}}, &slowStore{store{"/local/domain/1/name": "web"}}, true)
	for range 2 { // the second has the name of the first
		if all, err := l.All(t.Context()); err != nil || len(all) != 1 || all[0].Name != "web" {
			t.Errorf("%+v, %v", all, err)
		}
	}
}

// A domain whose CPUs cannot be determined does not hide the others.
func TestOneDomainsFailureIsNotTheLists(t *testing.T) {
	l := New(fakeHost{1: {ID: 1, CPUPool: 1}, 2: {ID: 2}}, &store{"": ""}, false)
	all, err := l.All(t.Context())
	if err != nil || len(all) != 2 || !errors.Is(all[0].Err, errPool) || all[1].Err != nil || !slices.Equal(all[1].CPUs, []int{2, 3}) {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestNumberOfADomainIsParsedOrRefused(t *testing.T) {
	if n, err := Number(host.Domain{ID: "7"}); n != 7 || err != nil {
		t.Error(n, err)
	}
	for _, id := range []string{"", "web", "-1", "65536"} {
		if _, err := Number(host.Domain{ID: id}); err == nil {
			t.Errorf("%q is taken for a number", id)
		}
	}
}

// counting counts hypercalls.
type counting struct {
	fakeHost
	calls int
}

func (c *counting) Domains() (all []xenctl.DomainInfo, err error) {
	for id := range len(c.fakeHost) {
		all = append(all, c.fakeHost[uint16(id)])
	}
	c.calls += (len(all) + 99) / 100
	return all, nil
}

func (c *counting) VCPU(domid uint16, vcpu int) (xenctl.VCPU, error) {
	c.calls++
	return xenctl.VCPU{ID: vcpu, Online: true}, nil
}

func (c *counting) Affinity(domid uint16, vcpu int) ([]int, error) {
	c.calls++
	return c.fakeHost.Affinity(domid, vcpu)
}

func (c *counting) Pool(id uint32) (xenctl.Pool, error) {
	c.calls++
	return c.fakeHost.Pool(id)
}

// The cost of a list grows with the number of vCPUs, and with nothing else.
func TestListTakesAtMostTwoHypercallsAVCPU(t *testing.T) {
	for _, n := range []int{1, 1000} {
		c := &counting{fakeHost: make(fakeHost)}
		for id := range uint16(n) {
			c.fakeHost[id] = xenctl.DomainInfo{ID: id, MaxVCPUID: 3}
		}
		all, err := New(c, &store{"": ""}, false).All(t.Context())
		if most := 2*4*n + n/100 + 2; err != nil || len(all) != n || c.calls > most {
			t.Errorf("%d domains of four vCPUs: %d listed, %v, %d hypercalls, want at most %d", n, len(all), err, c.calls, most)
		}
	}
}

func TestFactsNameEachVCPU(t *testing.T) {
	h := fakeHost{1: {ID: 1, MaxVCPUID: 2, OnlineVCPUs: 2, HVM: true, Paused: true, TotalPages: 512, CPUPool: 3}}
	facts, err := New(h, &store{"": ""}, false).Facts(host.Domain{ID: "1"}, func(domid uint16, p xenctl.Pool) (string, []host.Fact, error) {
		return "of " + p.Scheduler.String(), []host.Fact{{Name: "more", Value: fmt.Sprint(domid, p.ID)}}, nil
	})
	want := []host.Fact{
		{Name: "state", Value: "HVM or PVH, paused, 2 of 3 vCPUs online, 2 MiB of memory"}, {Name: "cpupool", Value: "3, scheduler of credit2, CPUs 2,3,4"},
		{Name: "vCPU 0", Value: "on CPU 3, waiting for a CPU, 0s of CPU time, affinity 0,1,2,3"}, {Name: "vCPU 1", Value: "offline"},
		{Name: "vCPU 2", Value: "on CPU 1, waiting for a CPU, 0s of CPU time, affinity 0,1,2,3"}, {Name: "more", Value: "1 3"},
	}
	if err != nil || !slices.Equal(facts, want) {
		t.Errorf("%q, %v", facts, err)
	}
}
