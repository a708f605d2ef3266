// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"
)

// What a file may have is described, and nothing else is.
func TestKeysAreThoseThatAreRead(t *testing.T) {
	var read []string
	for f := range reflect.TypeFor[configTOML]().Fields() {
		name, inner := f.Tag.Get("toml"), f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch inner.Kind() {
		case reflect.Slice:
			name, inner = "[["+name+"]]", inner.Elem()
		case reflect.Struct:
			name = "[" + name + "]"
		default:
			read = append(read, " "+name)
			continue
		}
		for _, g := range reflect.VisibleFields(inner) {
			if !g.Anonymous {
				read = append(read, name+" "+g.Tag.Get("toml"))
			}
		}
	}
	var described []string
	for _, k := range Keys {
		if k.Meaning == "" {
			t.Errorf("%s %s has no meaning", k.Table, k.Name)
		}
		described = append(described, k.Table+" "+k.Name)
	}
	slices.Sort(read)
	slices.Sort(described)
	if !slices.Equal(read, described) {
		t.Errorf("described: %q\nread:      %q", described, read)
	}
}

func TestExampleIsAConfiguration(t *testing.T) {
	c, err := load(t, Example())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Cache) != 1 || c.Cache[0].L3 != 60 || c.Throttle == nil || c.Throttle.Source != "probe" || c.Throttle.Params.Threshold != 180 || c.MetricsListen == "" || len(c.Allow) != 1 || len(c.Domains) != 1 || len(c.Adopt) != 1 || c.Adopt[0].Domain.Name != "web" || c.Adopt[0].Budget != 10*time.Millisecond {
		t.Errorf("%+v", c)
	}
}

// As installed it asks for nothing; without its marks it is the example.
func TestInstalledAsksForNothing(t *testing.T) {
	c, err := load(t, Installed())
	if err != nil || c.Host != "auto" || len(c.Adopt) != 0 || c.Throttle != nil || len(c.Cache) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := load(t, regexp.MustCompile(`(?m)^#([^ ])`).ReplaceAllString(Installed(), "$1")); err != nil || len(c.Adopt) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}
