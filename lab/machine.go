// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/labproto"
	"github.com/vlibos/vlibos/lab/membus"
	"github.com/vlibos/vlibos/lab/qemu"
	"github.com/vlibos/vlibos/lab/saved"
	"github.com/vlibos/vlibos/throttle/model"
)

// savedLimit limits the size of all saved machines on disk: a machine has 200 to 400 MB,
// and the suites have some fifteen.
const savedLimit = 8 << 30

// Saved returns the machines that runs have saved in the lab's cache.
func Saved() (*saved.Store, error) {
	cache, err := image.DefaultCache()
	if err != nil {
		return nil, err
	}
	return savedIn(cache), nil
}

func savedIn(cache *image.Cache) *saved.Store {
	return &saved.Store{Dir: filepath.Join(cache.Dir, "saved"), Limit: savedLimit}
}

// machine is all that a machine is made of before it may be saved, and the disks that
// the rest arrives on.
type machine struct {
	qemu.Machine
	plan labproto.Plan
	what string // a description for a person
	base string // the key of the base images, a hash of their packages
	// emulator is the path of the emulator: another build may have the same version.
	emulator string
	// processor is this host's processor, with whose time-stamp counter the machine has
	// calibrated its clocks; it is empty if instructions are counted.
	processor string
	bus       *memoryBus
	profiler  string // the path of the plugin that profiles, or ""
}

// newMachine makes the machine of a run. The caller closes it.
func newMachine(ctx context.Context, c Config, base *image.Base, xen, bin string, p packages, disks []*os.File, link *os.File) (_ *machine, err error) {
	m := &machine{
		Machine: qemu.Machine{
			CPUs: c.PCPUs, MemoryMiB: c.MemoryMiB, EmptyNode: c.EmptyNode, Counted: c.Mode == Counted,
			Hypervisor: xen, Kernel: base.Dom0Kernel(), Disks: disks,
			HypervisorArgs: c.xenArgs(), KernelArgs: c.dom0Args(), Port: labproto.Port,
		},
		plan: c.plan(),
		what: c.describe(),
		base: base.Key,
	}
	if m.Link = link; link != nil {
		ip := c.Address.Addr().As4()
		m.MAC = append(net.HardwareAddr{0x52, 0x54}, ip[:]...)
	}
	if m.emulator, err = exec.LookPath(qemu.Program); err != nil {
		return nil, &Error{Awaited: "the emulator", Err: err}
	}
	if c.Processor != "" {
		if m.Processor, err = emulatedProcessor(ctx, c.Processor, c.SetupLog); err != nil {
			return nil, &Error{Awaited: "the emulated processor", Err: err}
		}
	}
	if !m.Counted {
		if m.processor, err = hostProcessor(); err != nil {
			return nil, &Error{Awaited: "this machine's processor", Err: err}
		}
	}
	if m.Ramdisk, err = ramdisk(base, bin, p, c.Guest); err != nil {
		return nil, &Error{Awaited: "the images of this run", Err: err}
	}
	if c.Mode == Contended {
		if m.bus, err = newMemoryBus(ctx, c.SetupLog); err != nil {
			m.close()
			return nil, &Error{Awaited: "the emulator's memory model", Err: err}
		}
		m.Shared, m.SharedBytes = m.bus.file, model.Bytes
	}
	if c.Profile != nil {
		m.Profile = c.Profile
		if m.profiler, err = plugin(ctx, membus.Profile, c.SetupLog); err != nil {
			m.close()
			return nil, &Error{Awaited: "the emulator's profiler", Err: err}
		}
	}
	return m, nil
}

func (m *machine) close() {
	m.Ramdisk.Close()
	if m.Processor != nil {
		m.Processor.State.Close()
	}
	if m.bus != nil {
		m.bus.file.Close()
	}
}

// emulatorPlugin is the path of the emulator's plugin, or "".
func (m *machine) emulatorPlugin() string {
	if m.bus == nil {
		return m.profiler
	}
	return m.bus.plugin
}

// hostProcessor returns the model of this machine's processor.
func hostProcessor() (string, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model), nil
		}
	}
	return "", errors.New("/proc/cpuinfo has no model name")
}

// key names the machine by everything that it is made of: the emulator with its
// arguments, the plan, and the contents of the files that it boots.
func (m *machine) key(emulator string) (string, error) {
	h := sha256.New()
	identity, err := m.Identity()
	if err != nil {
		return "", err
	}
	plan, err := json.Marshal(m.plan)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%q %q %q %q %q\n", emulator, identity, m.base, plan, m.processor)
	files := []string{m.emulator, m.Kernel, fmt.Sprintf("/proc/self/fd/%d", m.Ramdisk.Fd())}
	if m.Hypervisor != "" {
		files = append(files, m.Hypervisor)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		n, sum, err := saved.Checksum(f)
		f.Close()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%d %08x\n", n, sum)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
