// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Where the ramdisk has the server, and the modules of its kernel.
const (
	serverFile = "vlib-server"
	modulesDir = "modules"
)

// drivers are what a server needs of the kernel of a guest: event channels, grants, and
// with a module in Xen hypercalls.
var drivers = []string{"xen-evtchn", "xen-gntalloc", "xen-privcmd"}

// unpackers are the programs that unpack modules; all write to their output.
var unpackers = map[string]string{".xz": "xz", ".zst": "zstd", ".gz": "gzip"}

// modulesOf are the drivers of a kernel as far as they are files below a folder, unpacked.
// Those that are not are part of the kernel, or the server will miss them. The kernel's
// release is in the name of its file, as each distribution has it.
func modulesOf(ctx context.Context, root, kernel string) (all []file, err error) {
	_, release, ok := strings.Cut(filepath.Base(kernel), "vmlinuz-")
	if !ok {
		return nil, impossible("the name of %s has no release, so its modules are not found: name a vmlinuz-RELEASE with --kernel FILE", kernel)
	}
	dir := filepath.Join(root, release)
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, packed, isModule := strings.Cut(e.Name(), ".ko")
		if !isModule || !slices.Contains(drivers, strings.ReplaceAll(name, "_", "-")) {
			return nil
		}
		text, err := os.ReadFile(path)
		if program := unpackers[packed]; program != "" {
			text, err = exec.CommandContext(ctx, program, "-dc", path).Output()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, file{filepath.Join(modulesDir, name+".ko"), text})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, impossible("%w: install the modules of the kernel %s, or name another with --kernel FILE", err, kernel)
	}
	return all, err
}

// serverProgram is the server of this program's release.
func serverProgram(self string) (string, error) {
	name, err := exec.LookPath(filepath.Join(filepath.Dir(self), serverFile))
	if err != nil {
		if name, err = exec.LookPath(serverFile); err != nil {
			return "", impossible("there is no vlib-server beside vlibmaster and none in PATH: install the package for guests")
		}
	}
	return name, nil
}
