// SPDX-License-Identifier: Apache-2.0

package xapi_test

import (
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
	"github.com/vlibos/vlibos/internal/testkit"
)

// Of two VMs with one UUID, the end of one does not hide the other.
func TestUUIDOfTwoVMsStaysWithTheOther(t *testing.T) {
	x := xapitest.New()
	log, _ := logger()
	twin := x.Add(vm(strings.ToUpper(strings.Replace(web, "a", "A", 1)), "twin"))
	x.Add(vm(web, "web"))
	x.Change(twin, func(v *xapitest.VM) { v.UUID = web })
	x.Change("OpaqueRef:"+web, func(v *xapitest.VM) { v.Name = "late" })
	p := follow(t, x, log)
	named(t, p, web, "late")
	x.Remove(twin)
	testkit.Eventually(t, "the twin is gone", func() bool { _, n, _ := p.Known(); return n == 1 })
	if v := p.VM(web); v == nil || v.Name != "late" {
		t.Errorf("%+v", v)
	}
}

// A XAPI that has lost its database has no answer: every pool has a control domain.
func TestAnswerWithoutAnyVMIsAnError(t *testing.T) {
	x := xapitest.New()
	log, _ := logger()
	ref := x.Add(vm(web, "web"))
	p := follow(t, x, log)
	named(t, p, web, "web")
	x.Remove(ref)
	x.NewCoordinator()
	testkit.Eventually(t, "it is the problem", func() bool {
		_, _, problem := p.Known()
		return problem != nil && strings.Contains(problem.Error(), "even an empty one has its control domains")
	})
}
