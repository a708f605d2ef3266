// SPDX-License-Identifier: Apache-2.0

package control

import (
	"time"

	"github.com/vlibos/vlibos/dom0/master"
)

// request is what a command asks for.
type request struct {
	Domain string        `json:"domain,omitempty"`
	Budget time.Duration `json:"budget_ns,omitempty"`
	Period time.Duration `json:"period_ns,omitempty"`
	Wishes []wish        `json:"wishes,omitempty"`
}

type wish struct {
	Domain string        `json:"domain"`
	Budget time.Duration `json:"budget_ns"`
	Period time.Duration `json:"period_ns"`
}

// Host is what a master says of its host.
type Host struct {
	Platform string          `json:"platform"`
	Adopted  []master.Status `json:"adopted"`
}
