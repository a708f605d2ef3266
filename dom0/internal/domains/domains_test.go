// SPDX-License-Identifier: Apache-2.0

package domains

import (
	"context"
	"errors"
	"reflect"
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
	return nil, context.Canceled
}

func TestListKeepsNamesWithoutXenstored(t *testing.T) {
	h := fakeHost{
		0: {ID: 0, MaxVCPUID: 0}, 1: {ID: 1, MaxVCPUID: 2, UUID: [16]byte{0xab, 15: 1}, CPUTime: time.Minute}, 2: {ID: 2, Dying: true},
		3: {ID: 3, MaxVCPUID: -1, Xenstore: true}, 4: {ID: 4, MaxVCPUID: 0},
	}
	s := store{"/local/domain/1/name": "web"}
	l := New(h, &s, func(_ uint16, v xenctl.VCPU) ([]int, error) { return []int{v.CPU}, nil })
	const zero = "00000000-0000-0000-0000-000000000000"
	want := []host.Domain{
		{ID: "0", Generation: 1, UUID: zero, CPUs: []int{3}, Control: true},
		{ID: "1", Generation: 2, UUID: "ab000000-0000-0000-0000-000000000001", Name: "web", CPUs: []int{1, 3}},
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

// A domain whose CPUs cannot be determined does not hide the others.
func TestOneDomainsFailureIsNotTheLists(t *testing.T) {
	h := fakeHost{1: {ID: 1}, 2: {ID: 2}}
	failed := errors.New("its pool is gone")
	l := New(h, &store{"": ""}, func(domid uint16, v xenctl.VCPU) ([]int, error) {
		if domid == 1 {
			return nil, failed
		}
		return []int{v.CPU}, nil
	})
	all, err := l.All(t.Context())
	if err != nil || len(all) != 2 || !errors.Is(all[0].Err, failed) || all[1].Err != nil || len(all[1].CPUs) != 1 {
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
