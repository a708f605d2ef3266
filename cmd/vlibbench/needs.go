// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"github.com/vlibos/vlibos/bench/native"
	"github.com/vlibos/vlibos/dom0/host"
	cgroups "github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/qemu"
)

// begin prints all that is missing on this machine, before anything starts, and
// returns an error if something is.
func begin(log io.Writer, missing []error) error {
	missing = slices.DeleteFunc(missing, func(err error) bool { return err == nil })
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintln(log, "missing on this machine:")
	for _, one := range missing {
		fmt.Fprintf(log, "  %v\n", one)
	}
	return errors.New("nothing was measured, because of what is missing")
}

// labNeeds returns what the lab's experiments lack here. QEMU is not missing where the
// lab's setup can install it. Each need that is met is nil.
func labNeeds() []error {
	needs := []error{needsProgram("gcc", "build-essential")}
	_, sudo := exec.LookPath("sudo")
	if debs.Available() != nil || os.Geteuid() != 0 && sudo != nil {
		needs = append(needs, needsProgram(qemu.Program, "qemu-system-x86"))
	}
	return needs
}

func needsProgram(name, pkg string) error {
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%w (as root: apt-get install %s)", err, pkg)
	}
	return nil
}

// needsCPUs is nil if this process may run on two CPUs.
func needsCPUs() error {
	_, _, err := native.Cores()
	return err
}

// throttleNeeds returns what the comparison of policies lacks here.
func throttleNeeds() []error {
	var root error
	if os.Geteuid() != 0 {
		root = fmt.Errorf("domains are cgroups: %w: run as root", host.ErrNotAllowed)
	}
	return []error{needsCPUs(), root, cgroups.Possible()}
}
