// SPDX-License-Identifier: Apache-2.0

// Package cliflag defines flags that all programs of this project share.
package cliflag

import (
	"errors"
	"flag"
	"time"

	"github.com/urfave/cli/v2"
)

// Duration is a flag for a time. Unlike [cli.DurationFlag] its error explains how a
// time is written, and its help shows no default if there is none. It has no
// environment variable.
type Duration struct {
	Name, Category, Usage string
	Value                 time.Duration
	DefaultText           string
	Required              bool // the flag must be given and has no default
}

var _ interface {
	cli.DocGenerationFlag
	cli.RequiredFlag
	cli.VisibleFlag
	cli.CategorizableFlag
} = (*Duration)(nil)

type duration time.Duration

// Set implements flag.Value. Package flag puts the flag and the text before its error.
func (d *duration) Set(text string) error {
	v, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("write it as in 10ms, 1.5s or 200us")
	}
	*d = duration(v)
	return nil
}

func (d *duration) String() string { return time.Duration(*d).String() }

// Apply implements cli.Flag. [cli.Context.Duration] returns the value.
func (f *Duration) Apply(set *flag.FlagSet) error {
	v := duration(f.Value)
	set.Var(&v, f.Name, f.Usage)
	return nil
}

func (f *Duration) String() string       { return cli.FlagStringer(f) }
func (f *Duration) Names() []string      { return []string{f.Name} }
func (f *Duration) IsSet() bool          { return false } // not by the environment
func (f *Duration) IsRequired() bool     { return f.Required }
func (f *Duration) IsVisible() bool      { return true }
func (f *Duration) TakesValue() bool     { return true }
func (f *Duration) GetUsage() string     { return f.Usage }
func (f *Duration) GetValue() string     { return f.Value.String() }
func (f *Duration) GetCategory() string  { return f.Category }
func (f *Duration) GetEnvVars() []string { return nil }

// GetDefaultText is empty if there is no default. The usage of an optional time
// explains what 0 means.
func (f *Duration) GetDefaultText() string {
	if f.DefaultText != "" || f.Required || f.Value == 0 {
		return f.DefaultText
	}
	return f.Value.String()
}
