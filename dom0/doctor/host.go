// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host/native"
)

// Master describes the master that serves this host, or the one that would.
type Master struct {
	Serves       string `json:"serves,omitempty"`  // the host that a master serves; empty: none is known
	Reservations int    `json:"reservations"`      // of that master
	Would        string `json:"would,omitempty"`   // the host that 'vlibmaster serve' would serve
	Refuses      string `json:"refuses,omitempty"` // why it would not
	Problem      string `json:"error,omitempty"`   // why the master could not be asked
}

const (
	remedyServe = "systemctl start vlibmaster, or: vlibmaster serve"
	remedyHost  = "the other findings say what is missing; 'vlibmaster serve --help' lists the hosts"
)

// askMaster asks the master that serves this host, which changes nothing.
func askMaster(ctx context.Context, c *client.Client) (m Master) {
	host, err := c.Host(ctx)
	switch {
	case err == nil:
		m.Serves, m.Reservations = host.Host, len(host.Reservations)
	case !errors.Is(err, api.ErrNoMaster):
		m.Problem = err.Error()
	}
	return m
}

// plan derives the host that a master would serve from the other facts.
func (m *Master) plan(f *Facts) {
	switch {
	case f.Host == directory.Native:
		m.Would = directory.Native
		if err := native.Possible(); err != nil {
			m.Refuses = err.Error()
		}
	case f.Xen.Version == "":
		m.Refuses = f.Xen.Problem
	case f.Xen.Module.Present && f.Xen.Module.Host:
		m.Would, m.Refuses = directory.Module, f.Xen.Control
	case f.Xen.Module.Present || f.Xen.Module.Absent:
		m.Would, m.Refuses = directory.Stock, f.Xen.Control
	default:
		m.Refuses = f.Xen.Module.Problem
	}
}

func (m Master) findings(xen XenFacts) []Finding {
	by := "pauses"
	if xen.Weights {
		by = "weights"
	}
	keeps := map[string]string{
		directory.Module: "module: the module in Xen keeps budgets",
		directory.Stock:  "stock: the master keeps budgets, by " + by + " and timers",
		directory.Native: "native: domains are cgroups",
	}
	switch {
	case m.Serves != "":
		return []Finding{{OK, "master", fmt.Sprintf("a master serves this host as %s, %d reservations", m.Serves, m.Reservations), ""}}
	case m.Problem != "":
		return []Finding{{Note, "master", m.Problem, remedyRoot}}
	case m.Refuses != "":
		return []Finding{{Note, "master", "no master serves this host, and 'vlibmaster serve' would refuse it: " + m.Refuses, remedyHost}}
	case m.Would == "":
		return nil
	}
	return []Finding{{Note, "master", "no master serves this host; 'vlibmaster serve' would serve it as " + keeps[m.Would], remedyServe}}
}
