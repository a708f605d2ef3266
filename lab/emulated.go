// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"io"
	"os/exec"

	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/membus"
	"github.com/vlibos/vlibos/lab/processor"
	"github.com/vlibos/vlibos/lab/qemu"
)

// emulatorTools compile QEMU, with emulatorLibraries, which pkg-config knows by these names.
var (
	emulatorTools = []tool{
		{"gcc", "build-essential"}, {"dpkg-source", "dpkg-dev"}, {"pkg-config", "pkg-config"},
		{"ninja", "ninja-build"}, {"meson", "meson"}, {"python3", "python3-minimal"},
	}
	emulatorLibraries = []tool{{"glib-2.0", "libglib2.0-dev"}, {"pixman-1", "libpixman-1-dev"}, {"zlib", "zlib1g-dev"}, {"libfdt", "libfdt-dev"}}
)

// emulatedProcessor builds the emulator of a processor, if necessary, and makes the file
// of its state. The caller closes that.
func emulatedProcessor(ctx context.Context, name string, log io.Writer) (*qemu.Processor, error) {
	p, err := processor.Find(name)
	if err != nil {
		return nil, err
	}
	cache, err := image.DefaultCache()
	if err != nil {
		return nil, err
	}
	path, err := processor.NewCache(cache).Build(ctx, runTools[0].pkg, func() error {
		pkgs := missing(emulatorTools)
		for _, l := range emulatorLibraries {
			if exec.CommandContext(ctx, "pkg-config", "--exists", l.program).Run() != nil {
				pkgs = append(pkgs, l.pkg)
			}
		}
		return install(ctx, pkgs, log)
	}, log)
	if err != nil {
		return nil, err
	}
	f, err := memoryFile("processor")
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(membus.ProcessorStateBytes); err != nil {
		f.Close()
		return nil, err
	}
	return &qemu.Processor{Emulator: path, Name: p.Name, CPU: p.CPU, State: f}, nil
}
