// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vlibos/vlibos/dom0/xapi"
	"github.com/vlibos/vlibos/rtsched"
)

// XAPI says whether and how the master follows XAPI. Without the table it does so on
// a host that has XAPI.
type XAPI struct {
	Enabled bool // even if this host has no XAPI: then it is an error
	Off     bool
	// RefuseStarts says that the hook before a VM's start refuses it if the VM's
	// reservation would not fit.
	RefuseStarts bool
	Options      xapi.Options
}

type xapiTOML struct {
	Enabled      *bool `toml:"enabled"`
	RefuseStarts bool  `toml:"refuse_starts"`
	Address      word  `toml:"address"`
	Certificate  word  `toml:"certificate"`
	Login        word  `toml:"login"`
}

func (t xapiTOML) parse() (XAPI, error) {
	x := XAPI{RefuseStarts: t.RefuseStarts, Options: xapi.Options{Address: string(t.Address), Certificate: string(t.Certificate), Originator: "vlibmaster"}}
	if t.Enabled != nil {
		x.Enabled, x.Off = *t.Enabled, !*t.Enabled
	}
	tls := strings.HasPrefix(x.Options.Address, "https://")
	switch {
	case x.Options.Address != "" && !tls && !strings.HasPrefix(x.Options.Address, "/"):
		return x, at(fmt.Errorf("address %q: want the path of a socket, or https://HOST", t.Address), "address")
	case tls && (t.Certificate == "" || t.Login == ""):
		return x, at(errors.New("https needs certificate and login: files with the host's certificate, and with a user and a password"), "address")
	case !tls && (t.Certificate != "" || t.Login != ""):
		return x, at(errors.New("certificate and login are only used with an address that begins with https://"), "certificate", "login")
	}
	if t.Login != "" {
		text, err := os.ReadFile(string(t.Login))
		if err != nil {
			return x, at(err, "login")
		}
		user, password, ok := strings.Cut(strings.TrimSpace(string(text)), "\n")
		if !ok {
			return x, at(fmt.Errorf("%s: want two lines: a user and a password", t.Login), "login")
		}
		x.Options.User, x.Options.Password = user, password
	}
	return x, nil
}

// Task is a reservation whose budget and period are written as in a file. An error
// says which of them is wrong.
func Task(budget, period string) (rtsched.Task, error) {
	var r reservationTOML
	for _, v := range []struct {
		to         **duration
		name, text string
	}{{&r.Budget, "budget", budget}, {&r.Period, "period", period}} {
		if v.text == "" {
			continue
		}
		*v.to = new(duration)
		if err := (*v.to).UnmarshalText([]byte(v.text)); err != nil {
			return rtsched.Task{}, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	return r.task()
}
