// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/xapi"
	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/internal/printable"
)

// The keys of other_config, after their prefix.
const (
	keyBudget = "budget"
	keyPeriod = "period"
	keyVCPUs  = "vcpus"
	keyClass  = "class"
	keyCache  = "cache"
	keyCalls  = "calls"
	keyStatus = "status"
)

// What the key calls can say: that the reservation is charged for calls to the VM
// and not for the VM's own time, and that its server says when it has answered.
const (
	callsCharge  = "charge"
	callsListens = "listens"
)

// asks reports whether a VM has a key other than its status.
func asks(v *xapi.VM) bool {
	_, status := v.Asked[keyStatus]
	return len(v.Asked) > 1 || len(v.Asked) == 1 && !status
}

// reserves reports whether a VM asks for a reservation.
func reserves(v *xapi.VM) bool {
	for _, key := range []string{keyBudget, keyPeriod, keyVCPUs, keyClass, keyCalls} {
		if v.Asked[key] != "" {
			return true
		}
	}
	return false
}

// reservation is the one that a VM asks for. After an error it names the VM and
// has no budget.
func reservation(v *xapi.VM) (r api.Reservation, err error) {
	calls := v.Asked[keyCalls]
	switch r.Name = v.Name; calls {
	case callsCharge, callsListens:
		r.Callees = []host.Callee{{Domain: host.Domain{Name: v.UUID}, Listens: calls == callsListens}}
		r.Name = v.UUID
	default:
		r.Domain = &host.Domain{Name: v.UUID}
	}
	task, err := config.Task(v.Asked[keyBudget], v.Asked[keyPeriod])
	if err != nil {
		return r, err
	}
	if r.Servers, err = host.ParseVCPUs(cmp.Or(v.Asked[keyVCPUs], "1")); err != nil {
		return r, err
	}
	class := host.Class(cmp.Or(v.Asked[keyClass], string(host.Batch)))
	if err := class.Check(); err != nil {
		return r, err
	}
	if r.Domain != nil {
		if r.Class = class; calls != "" {
			return r, fmt.Errorf("calls: %.80q: want %s or %s", calls, callsCharge, callsListens)
		}
	}
	r.Task = task
	if cpus, err := cpulist.Parse(v.Mask); err == nil {
		r.CPUs = cpus
	}
	return r, nil
}

// status is the answer of a host with that name to a VM, without a mark. wrong is why its
// request is not understood, cache why it is not in its cache class.
func status(name string, v *xapi.VM, a api.Status, wrong, cache error) string {
	var parts []string
	has := fmt.Sprintf("%s in every %v", a.Servings(), a.Period)
	stays := ""
	if a.ID != 0 && a.Origin == api.FromXAPI && !a.Waits {
		stays = "; " + has + " stays"
	}
	switch {
	case !reserves(v):
	case wrong != nil:
		parts = append(parts, "not understood: "+wrong.Error()+stays)
	case a.Problem != "" && a.Waits:
		parts = append(parts, "not in force: "+a.Problem)
	case a.Problem != "":
		parts = append(parts, "not taken: "+a.Problem+stays)
	case !a.Running():
		parts = append(parts, "waits: "+has)
	case a.Kind() == host.KindNone:
		parts = append(parts, fmt.Sprintf("in force: %s for calls (reservation %d)", has, a.ID))
	default:
		parts = append(parts, fmt.Sprintf("in force: %s, domain %s", has, a.On()))
	}
	switch {
	case cache != nil:
		parts = append(parts, "no cache class: "+cache.Error())
	case v.Asked[keyCache] != "":
		parts = append(parts, fmt.Sprintf("cache class %q", v.Asked[keyCache]))
	case !reserves(v):
		parts = append(parts, "not understood: none of its keys asks for anything: want budget, period, vcpus, class, calls or cache")
	}
	return xapi.Cut(printable.Line(name+": "+strings.Join(parts, "; ")), xapi.MostText-markSize)
}

// markSize is the length of a mark.
const markSize = len(" [") + len("00000000-0000-0000-0000-000000000000 2006-01-02T15:04:05Z]")

// marked is a status with the UUID of the host that gives it, since two may have one name,
// and when: where no master is left to remove it, a reader sees that it is old.
func marked(text, host string, at time.Time) string {
	return fmt.Sprintf("%s [%s %s]", text, host, at.UTC().Format(time.RFC3339))
}

// unmarked is a status without its mark, and the host that gave it; empty: none of ours.
func unmarked(status string) (text, by string) {
	i := len(status) - markSize
	if i < 0 || !strings.HasPrefix(status[i:], " [") || !host.IsUUID(status[i+2:i+38]) {
		return status, ""
	}
	return status[:i], status[i+2 : i+38]
}
