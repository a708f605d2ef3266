// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/internal/cpulist"
)

// LoadCommand is the hidden command of the program that a throw-away domain runs.
const LoadCommand = "selftest-load"

// streamed is the memory through which the counters' load walks, for so long at most: more
// than any cache has.
const (
	streamed  = 256 << 20
	streamFor = 20 * time.Second
	line      = 64
)

// Load runs a load. In a domain of Xen it is the first process.
//
//	spin [CPU]     never sleeps and never ends
//	stream ROUNDS  writes a byte of each line of 256 MiB, so often but for 20 s at most,
//	               and prints how many lines it wrote
//	serve          the server that is in the ramdisk; only in a domain of Xen
func Load(args []string) error {
	runtime.LockOSThread()
	switch {
	case len(args) > 0 && args[0] == "spin":
		if err := bind(args[1:]); err != nil {
			return err
		}
		for { //nolint:staticcheck // a load that never sleeps is what is asked for
		}
	case len(args) == 2 && args[0] == "stream":
		rounds, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		fmt.Println(stream(rounds))
		return nil
	case len(args) == 1 && args[0] == "serve":
		return serve()
	}
	return fmt.Errorf("%s: unknown load %q", LoadCommand, args)
}

// stream returns how many lines it wrote.
func stream(rounds int) (lines int) {
	memory := make([]byte, streamed)
	end := clock.Monotonic() + streamFor
	for range rounds {
		for at := 0; at < len(memory); at += line {
			memory[at]++
			if lines++; lines%4096 == 0 && clock.Monotonic() > end {
				return lines
			}
		}
	}
	return lines
}

func bind(list []string) error {
	if len(list) == 0 {
		return nil
	}
	cpus, err := cpulist.Parse(list[0])
	if err != nil {
		return err
	}
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	return unix.SchedSetaffinity(0, &set)
}

// serve loads the kernel's modules that are in the ramdisk, and becomes the server.
func serve() error {
	if os.Getpid() != 1 {
		return fmt.Errorf("%s serve: this is not the first process of a domain", LoadCommand)
	}
	for dir, kind := range map[string]string{"/dev": "devtmpfs", "/proc": "proc", "/sys": "sysfs", "/run": "tmpfs"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(kind, dir, kind, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	modules, err := filepath.Glob("/" + modulesDir + "/*")
	if err != nil {
		return err
	}
	for _, name := range modules {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := unix.InitModule(text, ""); err != nil && err != unix.EEXIST {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return unix.Exec("/"+serverFile, []string{serverFile, "--transport", "xen"}, os.Environ())
}
