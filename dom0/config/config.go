// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// Config is the content of a file.
type Config struct {
	Host  string            // one of directory.Hosts
	Adopt []api.Reservation // of domains
	// MetricsListen is where Prometheus may ask by TCP, an address and a port;
	// empty: nowhere.
	MetricsListen string
	Allow         policy.Rules
	Domains       []policy.Wedging
	Listens       []string  // domains whose servers use the hypercall vlib_op_listen
	Throttle      *Throttle // nil: nothing is throttled
	Cache         []Cache   // classes, in the order of the file
	XAPI          XAPI
}

type configTOML struct {
	Host    word         `toml:"host"`
	Adopt   []adoptTOML  `toml:"adopt"`
	Allow   []allowTOML  `toml:"allow"`
	Domain  []domainTOML `toml:"domain"`
	Metrics metricsTOML  `toml:"metrics"`

	Throttle *throttleTOML `toml:"throttle"`
	Cache    []cacheTOML   `toml:"cache"`
	XAPI     xapiTOML      `toml:"xapi"`
}

type adoptTOML struct {
	Domain ref `toml:"domain"`
	reservationTOML
	Class       word `toml:"class"`
	DeviceModel bool `toml:"device_model"`
}

// vcpus is a number of servers: a number of vCPUs, or "all".
type vcpus int

// UnmarshalTOML implements toml.Unmarshaler.
func (n *vcpus) UnmarshalTOML(v any) error {
	text := fmt.Sprint(v)
	servers, err := host.ParseVCPUs(text)
	*n = vcpus(servers)
	return err
}

// reservationTOML is a reservation in any table that has one.
type reservationTOML struct {
	Budget *duration `toml:"budget"`
	Period *duration `toml:"period"`
	VCPUs  vcpus     `toml:"vcpus"`
}

// task is the reservation, which is either complete or an error that says what
// is missing.
func (r reservationTOML) task() (rtsched.Task, error) {
	switch {
	case r.Budget == nil:
		return rtsched.Task{}, at(errors.New("budget is missing: time on a CPU, as in budget = \"10ms\""), "period", "vcpus")
	case r.Period == nil:
		return rtsched.Task{}, at(errors.New("period is missing: in every such time there is the budget, as in period = \"100ms\""), "budget")
	}
	t := rtsched.Task{Budget: time.Duration(*r.Budget), Period: time.Duration(*r.Period)}
	if err := (rtsched.Task{Budget: rtsched.MinBudget, Period: t.Period}).Validate(); err != nil {
		return t, at(err, "period")
	}
	return t, at(t.Validate(), "budget")
}

// word is a string that the TOML package reports errors of with their line.
type word string

func (w *word) UnmarshalText(text []byte) error {
	*w = word(text)
	return nil
}

// ref is a domain's name or UUID.
type ref string

func (r *ref) UnmarshalText(text []byte) error {
	*r = ref(host.Canonical(string(text)))
	return nil
}

// duration is written as in "10ms".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no time: write it as in \"10ms\", \"1.5s\" or \"200us\"", text)
	}
	*d = duration(v)
	return nil
}

// ErrConfig is what every error in a configuration is.
var ErrConfig = errors.New("configuration")

// Error says where a configuration is wrong.
type Error struct {
	File string
	Line int // 0: the file as a whole
	Err  error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns ErrConfig and the reason.
func (e *Error) Unwrap() []error { return []error{ErrConfig, e.Err} }

// Load reads a file. Errors are *Error; of a file that is not there it wraps
// fs.ErrNotExist.
func Load(file string) (Config, error) {
	b, err := os.ReadFile(file)
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err // Error names the file
	}
	if err != nil {
		return Config{}, &Error{file, 0, err}
	}
	c, line, err := parse(string(b))
	if err != nil {
		return Config{}, &Error{file, line, err}
	}
	return c, nil
}

// parse returns the line of an error.
func parse(text string) (Config, int, error) {
	var t configTOML
	md, err := toml.Decode(text, &t)
	var p toml.ParseError
	if errors.As(err, &p) {
		return Config{}, p.Position.Line, errors.New(p.Message)
	}
	if err != nil {
		return Config{}, 0, err
	}
	fail := func(err error, table string, n int) (Config, int, error) {
		return Config{}, lineOfError(text, table, n, err), err
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		key := unknown[0]
		last := len(key) - 1
		return fail(at(fmt.Errorf("unknown key %q: %s", key, known(key)), key[last]), key[:last].String(), -1)
	}
	c := Config{Host: cmp.Or(string(t.Host), directory.Auto), MetricsListen: string(t.Metrics.Listen)}
	if !slices.Contains(directory.Hosts, c.Host) {
		return fail(at(fmt.Errorf("host %q: want one of %s", t.Host, strings.Join(directory.Hosts, ", ")), "host"), "", 0)
	}
	if err := t.Metrics.check(); err != nil {
		return fail(at(err, "listen"), "metrics", 0)
	}
	if c.XAPI, err = t.XAPI.parse(); err != nil {
		return fail(err, "xapi", 0)
	}
	for i, a := range t.Adopt {
		r, err := a.reservation(c.Adopt)
		if err != nil {
			return fail(err, "adopt", i)
		}
		c.Adopt = append(c.Adopt, r)
	}
	for i, a := range t.Allow {
		r, err := a.rule()
		if err == nil && slices.ContainsFunc(c.Allow, func(b policy.Rule) bool { return b.Key() == r.Key() }) {
			err = errors.New("duplicate rule")
		}
		if err != nil {
			return fail(err, "allow", i)
		}
		c.Allow = append(c.Allow, r)
	}
	for i, d := range t.Domain {
		w, err := d.wedging(c.Domains)
		if err != nil {
			return fail(err, "domain", i)
		}
		c.Domains = append(c.Domains, w)
		if d.Listens {
			c.Listens = append(c.Listens, w.Domain)
		}
	}
	if t.Throttle != nil {
		if c.Throttle, err = t.Throttle.parse(); err != nil {
			return fail(fmt.Errorf("throttle: %w", err), "throttle", 0)
		}
	}
	for i, t := range t.Cache {
		class, err := t.parse(c.Cache)
		if err != nil {
			return fail(err, "cache", i)
		}
		c.Cache = append(c.Cache, class)
	}
	return c, 0, nil
}

// reservation is the one that the table wants, after those before it.
func (a adoptTOML) reservation(before []api.Reservation) (r api.Reservation, err error) {
	name := string(a.Domain)
	r.Domain, r.Class = &host.Domain{Name: name}, cmp.Or(host.Class(a.Class), host.Batch)
	if err := r.Class.Check(); err != nil {
		return r, at(err, "class")
	}
	if name == "" {
		return r, at(errors.New("domain is missing: a name or a UUID"), "domain")
	}
	if slices.ContainsFunc(before, func(b api.Reservation) bool { return b.Domain.Name == name }) {
		return r, at(fmt.Errorf("duplicate [[adopt]] for domain %q", name), "domain")
	}
	if r.Task, err = a.task(); err != nil {
		return r, fmt.Errorf("domain %q: %w", name, err)
	}
	r.Servers, r.DeviceModel = int(a.VCPUs), a.DeviceModel
	return r, at(r.CheckServers(), "vcpus")
}

// Reservations are all that the configuration wants: those of domains, and those
// that pay for the calls of a rule.
func (c *Config) Reservations() []api.Reservation {
	all := slices.Clone(c.Adopt)
	for _, rule := range c.Allow {
		if rule.Budget == 0 {
			continue
		}
		r := api.Reservation{Name: rule.Key()}
		r.Budget, r.Period, r.Servers = rule.Budget, rule.Period, rule.Servers
		r.Callees = []host.Callee{{Domain: host.Domain{Name: rule.Domain}, Listens: slices.Contains(c.Listens, rule.Domain)}}
		all = append(all, r)
	}
	return all
}
