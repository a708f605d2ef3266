// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/throttle/cache"
)

// Cache is a class of cache and memory bandwidth, with its domains.
type Cache struct {
	cache.Class
	Domains []string // names or UUIDs; Others: all that no class names
	// FollowCalls: a domain has its caller's class while it serves a call.
	FollowCalls bool
}

// Others stands for all domains but control domains that no class names.
const Others = "*"

type cacheTOML struct {
	Name      word    `toml:"name"`
	L3        percent `toml:"l3"`
	L3Least   percent `toml:"l3_least"`
	L3Code    percent `toml:"l3_code"`
	L3Data    percent `toml:"l3_data"`
	L2        percent `toml:"l2"`
	Bandwidth percent `toml:"mba"`
	Domains   []ref   `toml:"domains"`

	FollowCalls bool `toml:"follow_calls"`
}

// percent is written as in "60%".
type percent int

func (p *percent) UnmarshalText(text []byte) error {
	digits, ok := strings.CutSuffix(string(text), "%")
	v, err := strconv.Atoi(digits)
	if !ok || err != nil || v < 1 || v > 100 {
		return fmt.Errorf("%q is no share: write a whole number of 1 to 100 as in \"60%%\"", text)
	}
	*p = percent(v)
	return nil
}

func (t cacheTOML) parse(before []Cache) (Cache, error) {
	c := Cache{Class: cache.Class{
		Name: string(t.Name), L3: int(t.L3), L3Least: int(t.L3Least), L3Code: int(t.L3Code), L3Data: int(t.L3Data), L2: int(t.L2), Bandwidth: int(t.Bandwidth),
	}, FollowCalls: t.FollowCalls}
	if err := c.Validate(); err != nil {
		keys := []string{"l3_code", "l3_data"}
		if t.L3Least != 0 {
			keys = []string{"l3_least"}
		}
		if (cache.Class{Name: c.Name, L3: 1}).Validate() != nil {
			keys = []string{"name"}
		}
		return Cache{}, at(fmt.Errorf("cache: %w", err), keys...)
	}
	for _, b := range before {
		if b.Name == c.Name {
			return Cache{}, at(fmt.Errorf("cache: duplicate class %q", c.Name), "name")
		}
	}
	if len(t.Domains) == 0 {
		return Cache{}, at(fmt.Errorf("cache: class %q: domains is missing: names or UUIDs, or %q for all that no class names", c.Name, Others), "domains")
	}
	for _, w := range t.Domains {
		d := string(w)
		if d == "" {
			return Cache{}, at(errors.New("cache: domains: a name or a UUID is empty"), "domains")
		}
		for _, b := range append(before, c) {
			if slices.Contains(b.Domains, d) {
				return Cache{}, at(fmt.Errorf("cache: domain %q is in class %q already", d, b.Name), "domains")
			}
		}
		c.Domains = append(c.Domains, d)
	}
	return c, nil
}
