// SPDX-License-Identifier: Apache-2.0

// Package cpulist reads and writes sets of CPUs as Linux shows them in sysfs,
// cgroups and perf: "0-2,5" (Documentation/admin-guide/cputopology.rst).
package cpulist

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Max is the largest CPU number that is accepted. It limits how much a range in
// a file can make this process allocate, and is that of unix.CPUSet.
const Max = 1023

// Parse returns the CPUs of a list, ascending. Space around the list is
// allowed; an empty list has no CPU. A list may have numbers up to [Max] and
// ascending ranges of them. Anything else, and a CPU that occurs twice, is an
// error that quotes the list.
func Parse(text string) ([]int, error) {
	var cpus []int
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(trimmed, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := number(from)
		last := first
		if err == nil && isRange {
			last, err = number(to)
		}
		if err != nil || last < first {
			return nil, fmt.Errorf("%.80q is not a list of CPUs such as 0-2,5 (up to %d)", trimmed, Max)
		}
		for c := first; c <= last; c++ {
			cpus = append(cpus, c)
		}
	}
	slices.Sort(cpus)
	if n := len(cpus); len(slices.Compact(cpus)) < n {
		return nil, fmt.Errorf("%.80q names a CPU twice", trimmed)
	}
	return cpus, nil
}

func number(digits string) (int, error) {
	n, err := strconv.ParseUint(digits, 10, 16)
	if err == nil && n > Max {
		err = strconv.ErrRange
	}
	return int(n), err
}

// Read parses a file. Errors name it.
func Read(file string) ([]int, error) {
	text, err := read(file)
	if err != nil {
		return nil, err
	}
	cpus, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cpus, nil
}

// read reads a file of the kernel without [os.File], which also asks epoll about it:
// a host reads one for each of a thousand domains, twice a second.
func read(file string) (_ []byte, err error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: file, Err: err}
	}
	var text []byte
	var b [512]byte
	for {
		n, err := unix.Read(fd, b[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, errors.Join(&fs.PathError{Op: "read", Path: file, Err: err}, unix.Close(fd))
		case n == 0:
			return text, unix.Close(fd)
		}
		text = append(text, b[:n]...)
	}
}

// Format writes a list that Parse and the kernel can read.
func Format(cpus []int) string {
	words := make([]string, len(cpus))
	for i, c := range cpus {
		words[i] = strconv.Itoa(c)
	}
	return strings.Join(words, ",")
}
