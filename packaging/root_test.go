// SPDX-License-Identifier: Apache-2.0

//go:build packages

package packaging

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/lab/image"
)

const (
	built = "../out/packages"            // the packages of 'make packages'
	again = "../out/test-packages/again" // the same packages, built again
	next  = "../out/test-packages/next"  // the next version's packages

	maintainer = "Packager of the tests <packager@vlibos.net>" // as in the Makefile
)

// root is the Debian in which everything is installed. Each test leaves it unchanged.
var root string

// release is the release of Debian in root: VLIBOS_RELEASE, or the lab's default.
func release() string { return cmp.Or(os.Getenv("VLIBOS_RELEASE"), image.DefaultRelease) }

// apart marks the process with its own mounts.
const apart = "VLIBOS_TEST_MOUNTS"

// TestMain runs the tests in a mount namespace that ends with them, however they end:
// nothing stays mounted on this machine.
func TestMain(m *testing.M) {
	status, err := 0, error(nil)
	switch {
	case os.Geteuid() != 0:
		err = errors.New("these tests need root: 'make test SUITE=packages' uses sudo")
	case os.Getenv(apart) == "":
		self := exec.Command("/proc/self/exe", os.Args[1:]...)
		self.Env = append(os.Environ(), apart+"=1")
		self.Stdout, self.Stderr = os.Stdout, os.Stderr
		self.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		err = self.Run()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
	default:
		status, err = inRoot(m.Run)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		status = 1
	}
	os.Exit(status)
}

// inRoot makes root, with this machine's devices, processes and cgroups, and removes it
// after run.
func inRoot(run func() int) (status int, err error) {
	series, err := image.Series(release())
	if err != nil {
		return 0, err
	}
	if root, err = os.MkdirTemp("", "vlibos-packages-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, removeRoot()) }()
	if err := os.Chmod(root, 0o755); err != nil {
		return 0, err
	}
	packages := []string{"man-db", "mandoc", "procps", "systemd", "rpm", "grub2-common", "lintian", "xen-utils-" + series, "xen-hypervisor-common", image.HypervisorPackage(series)}
	if err := debian(context.Background(), root, release(), packages, os.Stderr); err != nil {
		return 0, err
	}
	for _, dir := range binds {
		if err := unix.Mount(dir, root+dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return 0, fmt.Errorf("bind %s: %w", dir, err)
		}
	}
	return run(), nil
}

var binds = []string{"/dev", "/proc", "/sys"}

// removeRoot removes root, but not what is mounted there.
func removeRoot() error {
	var errs []error
	for _, dir := range binds {
		if err := unix.Unmount(root+dir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", dir, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return exec.Command("rm", "-rf", "--one-file-system", root).Run()
}

// inside returns a command that runs in root.
func inside(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("chroot", append([]string{root, name}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root", "TERM=dumb", "MANWIDTH=300", "DEBIAN_FRONTEND=noninteractive",
		"SYSTEMD_OFFLINE=1"}
	return cmd
}

// do runs a command in root that must succeed, and returns its output.
func do(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := inside(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// fails runs a command in root that must end with the status.
func fails(t *testing.T, status int, name string, args ...string) {
	t.Helper()
	out, err := inside(name, args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != status {
		t.Errorf("%s %s: %v, want status %d\n%s", name, strings.Join(args, " "), err, status, out)
	}
}

func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%s", p, text)
		}
	}
}

func lacks(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(text, p) {
			t.Errorf("%q is in\n%s", p, text)
		}
	}
}

// bring copies the package that a pattern names into root, and returns its path there.
func bring(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: found %q, want one", pattern, dir, found)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	path := "/tmp/" + filepath.Base(found[0])
	if err := os.WriteFile(root+path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(root + path) })
	return path
}

// install installs the packages that the patterns name. It purges them at the end of the
// test, if the test did not.
func install(t *testing.T, patterns ...string) string {
	t.Helper()
	args, names := []string{"-i"}, []string{"--purge"}
	for _, p := range patterns {
		if p == hypervisorDeb && release() != image.DefaultRelease {
			args = append([]string{"--force-depends"}, args...) // its tools are of another series here
		}
		args = append(args, bring(t, built, p))
		names = append(names, strings.TrimSuffix(p, "_*.deb"))
	}
	t.Cleanup(func() {
		if out, err := inside("dpkg", names...).CombinedOutput(); err != nil {
			t.Errorf("purge: %v\n%s", err, out)
		}
	})
	return do(t, "dpkg", args...)
}

// books are the folders in which package managers and man keep their own records.
var books = []string{"/dev", "/proc", "/sys", "/tmp", "/var/lib/dpkg", "/var/log", "/var/cache/man", "/var/lib/rpm", "/root"}

// snapshot returns every file in root with its mode and content.
func snapshot(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root)
		if slices.Contains(books, name) {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			what += " " + to
		case info.Mode().IsRegular():
			sum, err := content(path, info)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %x", sum)
		}
		files[name] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// state identifies a file's content: every write changes the time.
type state struct {
	inode   uint64
	size    int64
	changed syscall.Timespec
}

// contents has the hashes of files that have not changed since they were read: almost all
// of a root, in every snapshot but the first.
var contents = map[state][sha256.Size]byte{}

func content(path string, info fs.FileInfo) ([sha256.Size]byte, error) {
	st := info.Sys().(*syscall.Stat_t)
	s := state{st.Ino, st.Size, st.Ctim}
	if sum, ok := contents[s]; ok {
		return sum, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	sum := sha256.Sum256(data)
	// Two writes within one tick of the kernel's clock give the same time.
	if time.Since(time.Unix(st.Ctim.Unix())) > time.Second {
		contents[s] = sum
	}
	return sum, nil
}

// unchanged fails for every file that differs from before.
func unchanged(t *testing.T, before map[string]string) {
	t.Helper()
	after := snapshot(t)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] == "" {
			t.Errorf("%s is left", name)
		} else if before[name] != after[name] {
			t.Errorf("%s was %s, is %s", name, before[name], after[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if after[name] == "" {
			t.Errorf("%s is gone", name)
		}
	}
}

// booted makes scripts believe that systemd runs. systemctl itself is told that it does
// not, and prints what it would have done.
func booted(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(root+"/run/systemd/system", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root + "/run/systemd") })
}

// refused is deb-systemd-invoke's message about a command that policy-rc.d forbids.
func refused(command, service string) string {
	return fmt.Sprintf("not running '%s %s.service'", command, service)
}

// ignored is systemctl's message about a command that it did not pass on.
func ignored(command string) string {
	return fmt.Sprintf("ignoring command '%s'", command)
}
