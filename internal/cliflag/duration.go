// SPDX-License-Identifier: Apache-2.0

// Package cliflag has the flags that this project's programs share.
package cliflag

import (
	"errors"
	"flag"
	"time"

	"github.com/urfave/cli/v2"
)

// Duration is a flag for a time. Unlike a [cli.DurationFlag] its error shows
// how to write a time, and its help shows no default where there is none. It
// takes no value from the environment.
type Duration struct {
	Name, Category, Usage string
	Value                 time.Duration
	DefaultText           string
	Required              bool // there is no default: the flag must be given
}

var _ interface {
	cli.DocGenerationFlag
	cli.RequiredFlag
	cli.VisibleFlag
	cli.CategorizableFlag
} = (*Duration)(nil)

type duration time.Duration

// Set implements flag.Value. Package flag prefixes the error with the flag and
// the text.
func (d *duration) Set(text string) error {
	v, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("write it as in 10ms, 1.5s or 200us")
	}
	*d = duration(v)
	return nil
}

func (d *duration) String() string { return time.Duration(*d).String() }

// Apply implements cli.Flag. The value is for [cli.Context.Duration].
func (f *Duration) Apply(set *flag.FlagSet) error {
	v := duration(f.Value)
	set.Var(&v, f.Name, f.Usage)
	return nil
}

func (f *Duration) String() string       { return cli.FlagStringer(f) }
func (f *Duration) Names() []string      { return []string{f.Name} }
func (f *Duration) IsSet() bool          { return false } // not from the environment
func (f *Duration) IsRequired() bool     { return f.Required }
func (f *Duration) IsVisible() bool      { return true }
func (f *Duration) TakesValue() bool     { return true }
func (f *Duration) GetUsage() string     { return f.Usage }
func (f *Duration) GetValue() string     { return f.Value.String() }
func (f *Duration) GetCategory() string  { return f.Category }
func (f *Duration) GetEnvVars() []string { return nil }

// GetDefaultText is empty unless the flag has a default: the usage of an
// optional time says what 0 means.
func (f *Duration) GetDefaultText() string {
	if f.DefaultText != "" || f.Required || f.Value == 0 {
		return f.DefaultText
	}
	return f.Value.String()
}
