// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/throttle/cache"
)

func TestLoadCache(t *testing.T) {
	c, err := load(t, `
[[cache]]
name = "wide"
l3 = "60%"
mba = "80%"
domains = ["web", "8c1d0a3e-0b6c-4f5e-9a57-2f1f7d1f0b11"]

[[cache]]
name = "rest"
l3_code = "10%"
l3_data = "30%"
l2 = "100%"
domains = ["*"]
follow_calls = true
`)
	want := []Cache{
		{cache.Class{Name: "wide", L3: 60, Bandwidth: 80}, []string{"web", "8c1d0a3e-0b6c-4f5e-9a57-2f1f7d1f0b11"}, false},
		{cache.Class{Name: "rest", L3Code: 10, L3Data: 30, L2: 100}, []string{"*"}, true},
	}
	if err != nil || !reflect.DeepEqual(c.Cache, want) {
		t.Errorf("%+v, %v, want %+v", c.Cache, err, want)
	}
}

func TestCacheErrorsSayWhere(t *testing.T) {
	const first = "[[cache]]\nname = 'a'\nl3 = '50%'\ndomains = ['web']\n"
	for text, want := range map[string]string{
		"[[cache]]":                                                        ":1: cache: name",
		"[[cache]]\nname = 'a'":                                            ":1: cache: it has no share",
		"[[cache]]\nname = 'a'\nl3 = '50'":                                 ":3: \"50\" is no share",
		"[[cache]]\nname = 'a'\nl3 = '0%'":                                 "no share",
		"[[cache]]\nname = 'a'\nl3 = '101%'":                               "no share",
		"[[cache]]\nname = 'a'\nl3 = '1.5%'":                               "no share",
		"[[cache]]\nname = '../a'\nl3 = '50%'":                             "letters, digits",
		"[[cache]]\nname = 'a'\nl3 = '50%'":                                "domains is missing",
		"[[cache]]\nname = 'a'\nl3_code = '5%'":                            "l3_code and l3_data together",
		"[[cache]]\nname = 'a'\nl3 = '50%'\nl3_least = '60%'":              ":4: cache: l3_least of 60 %",
		first + first:                                                      ":6: cache: duplicate class \"a\"",
		first + strings.Replace(first, "'a'", "'b'", 1):                    ":8: cache: domain \"web\" is in class \"a\" already",
		"[[cache]]\nname = 'a'\nl3 = '50%'\ndomains = ['web', 'web']\n":    "domain \"web\" is in class \"a\" already",
		"[[cache]]\nname = 'a'\nl3 = '50%'\ndomains = ['']\n":              "is empty",
		"[[cache]]\nname = 'a'\nl3 = '50%'\nl4 = '50%'\ndomains = ['x']\n": ":4: unknown key \"cache.l4\"",
	} {
		if _, err := load(t, text); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
