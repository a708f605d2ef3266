// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"fmt"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/cpulist"
)

// LoadCommand is the hidden command of the program that a throw-away domain runs.
const LoadCommand = "selftest-load"

// streamed is the memory through which a stream walks: more than any cache has.
const (
	streamed = 256 << 20
	line     = 64
)

// Load runs a load: "spin [CPU]" never sleeps and never ends; "stream ROUNDS" writes a
// byte of each line of 256 MiB, so often. In a domain of Xen this is the first process.
func Load(args []string) error {
	runtime.LockOSThread()
	switch {
	case len(args) > 0 && args[0] == "spin":
		if len(args) > 1 {
			if err := bind(args[1]); err != nil {
				return err
			}
		}
		for { //nolint:staticcheck // a load that never sleeps is what is asked for
		}
	case len(args) == 2 && args[0] == "stream":
		rounds, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		memory := make([]byte, streamed)
		for range rounds {
			for at := 0; at < len(memory); at += line {
				memory[at]++
			}
		}
		runtime.KeepAlive(memory)
		return nil
	}
	return fmt.Errorf("%s: unknown load %q", LoadCommand, args)
}

func bind(list string) error {
	cpus, err := cpulist.Parse(list)
	if err != nil {
		return err
	}
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	return unix.SchedSetaffinity(0, &set)
}
