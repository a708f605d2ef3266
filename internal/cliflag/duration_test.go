// SPDX-License-Identifier: Apache-2.0

package cliflag

import (
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

func run(f *Duration, args ...string) (got time.Duration, set bool, help string, err error) {
	var out strings.Builder
	app := &cli.App{
		Writer: &out, ErrWriter: &out, Flags: []cli.Flag{f}, ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
		Action:       func(c *cli.Context) error { got, set = c.Duration(f.Name), c.IsSet(f.Name); return nil },
	}
	err = app.Run(append([]string{"x"}, args...))
	return got, set, out.String(), err
}

func TestDurationIsParsedOrItsFormIsShown(t *testing.T) {
	for text, want := range map[string]time.Duration{"10ms": 10 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "0": 0, "-1s": -time.Second} {
		if got, set, _, err := run(&Duration{Name: "time", Value: time.Hour}, "--time="+text); err != nil || got != want || !set {
			t.Errorf("%s: %v, %v, %v", text, got, set, err)
		}
	}
	if got, set, _, err := run(&Duration{Name: "time", Value: time.Hour}); err != nil || got != time.Hour || set {
		t.Errorf("the default is %v, %v, %v", got, set, err)
	}
	for _, text := range []string{"10", "soon", "", "10 ms"} {
		if _, _, _, err := run(&Duration{Name: "time"}, "--time="+text); err == nil || !strings.Contains(err.Error(), "write it as in 10ms") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestHelpShowsADefaultOnlyWhereThereIsOne(t *testing.T) {
	for want, f := range map[string]*Duration{
		"--time D    D at most (default: 1h0m0s)\n": {Name: "time", Usage: "`D` at most", Value: time.Hour},
		"--time D    D at most\n":                   {Name: "time", Usage: "`D` at most", Required: true},
		"(default: as it is)\n":                     {Name: "time", DefaultText: "as it is"},
	} {
		_, _, help, err := run(f, "--help")
		if err != nil || !strings.Contains(help, want) {
			t.Errorf("%v: %q is not in\n%s", err, want, help)
		}
	}
}
