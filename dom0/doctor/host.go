// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/control"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host/native"
)

// Master is whether a master serves this host, or what it would be.
type Master struct {
	Serves  string `json:"serves,omitempty"` // the host, as the one that serves says; empty: none does, or it does not say
	Adopted int    `json:"adopted"`          // domains, by that one
	Would   string `json:"would,omitempty"`  // the host that 'vlibmaster serve' would keep
	Refuses string `json:"refuses,omitempty"`
	Problem string `json:"error,omitempty"` // why a master could not be asked
}

const (
	remedyServe = "systemctl start vlibmaster, or: vlibmaster serve"
	remedyHost  = "what is missing stands with the other findings; docs/operating.md says which hosts there are"
)

// askMaster asks the one that serves. Asking changes nothing.
func askMaster(ctx context.Context, c *control.Client) (m Master) {
	host, err := c.Domains(ctx)
	switch {
	case err == nil:
		m.Serves, m.Adopted = host.Host, len(host.Adopted)
	case !errors.Is(err, control.ErrNoMaster):
		m.Problem = err.Error()
	}
	return m
}

// plan says which host a master would keep, from what else is known.
func (m *Master) plan(f *Facts) {
	switch {
	case f.Host == directory.Native:
		m.Would = directory.Native
		if err := native.Possible(); err != nil {
			m.Refuses = err.Error()
		}
	case f.Xen.Version == "":
		m.Refuses = f.Xen.Problem // of a user, or no Xen: another finding has it too
	case f.Xen.Module.Present && f.Xen.Module.Host:
		m.Would, m.Refuses = directory.Module, f.Xen.Control
	case f.Xen.Module.Present || f.Xen.Module.Absent:
		m.Would, m.Refuses = directory.Stock, f.Xen.Control
	default:
		m.Refuses = f.Xen.Module.Problem
	}
}

func (m Master) findings() []Finding {
	keeps := map[string]string{
		directory.Module: "module: the module in Xen keeps budgets", directory.Stock: "stock: it keeps budgets itself, by weights and timers",
		directory.Native: "native: domains are cgroups",
	}
	switch {
	case m.Serves != "":
		return []Finding{{OK, "master", fmt.Sprintf("one serves this host as %s, %d domains adopted", m.Serves, m.Adopted), ""}}
	case m.Problem != "":
		return []Finding{{Note, "master", m.Problem, remedyRoot}}
	case m.Refuses != "":
		return []Finding{{Note, "master", "none serves this host, and 'vlibmaster serve' would refuse it: " + m.Refuses, remedyHost}}
	case m.Would == "":
		return nil
	}
	return []Finding{{Note, "master", "none serves this host; 'vlibmaster serve' would serve it as " + keeps[m.Would], remedyServe}}
}
