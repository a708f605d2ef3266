// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/xenctl"
)

// newGround is the ground of this host.
func newGround(o Options) (ground, error) {
	name := fmt.Sprintf("%s%x", prefix, random(4))
	if o.Facts.Host == directory.Native {
		return cgroups{name}, unused(name)
	}
	if o.Facts.Xen.Control != "" {
		return nil, impossible("this process may not control domains: %s", o.Facts.Xen.Control)
	}
	return guests{name, o}, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// guests is the ground of a Xen whose Dom0 has xl.
type guests struct {
	prefix string
	Options
}

func (g guests) plan() *plan {
	if g.Facts.Master.Serves == "" {
		return &plan{}
	}
	return &plan{Master: g.Socket}
}

func (guests) serve() []string { return []string{"--host", directory.Xen} }

// make implements ground: a PV guest on the last CPU of Dom0's pool.
func (g guests) make(ctx context.Context, s *stage, name string) (domain, error) {
	d, err := g.create(ctx, s, name, nil, "spin")
	if err != nil {
		return nil, err
	}
	return d, d.spins(ctx)
}

// server implements ground: such a guest, whose ramdisk also has the server and what it
// needs of the kernel.
func (g guests) server(ctx context.Context, s *stage, program string) (server, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return server{}, err
	}
	files, err := modulesOf(ctx, "/lib/modules", g.kernel())
	if err != nil {
		return server{}, err
	}
	d, err := g.create(ctx, s, "server", append(files, file{serverFile, text}), "serve")
	return server{directory.Config{Host: directory.Xen}, d.called, bootWithin}, err
}

func (g guests) kernel() string {
	if g.Kernel != "" {
		return g.Kernel
	}
	return defaultKernel()
}

// unpacked is the memory of a guest beside that of its program, in bytes: its kernel's,
// and the heap of two processes of Go.
const unpacked = 144 << 20

// create makes a guest whose first process is a load, with other files beside it.
func (g guests) create(ctx context.Context, s *stage, name string, files []file, load string) (guest, error) {
	kernel := g.kernel()
	if info, err := os.Stat(kernel); err != nil || !info.Mode().IsRegular() {
		return guest{}, impossible("%s is no kernel for a throw-away domain: name one with --kernel FILE", kernel)
	}
	if _, err := exec.LookPath("xl"); err != nil {
		return guest{}, impossible("domains are made with xl: %w", err)
	}
	disk := filepath.Join(s.plan.Dir, load+".ramdisk")
	if _, err := os.Stat(disk); err != nil {
		if err := writeRamdisk(disk, s.Self, files...); err != nil {
			return guest{}, err
		}
	}
	size, err := os.Stat(disk)
	if err != nil {
		return guest{}, err
	}
	cpu, err := lastCPU()
	if err != nil {
		return guest{}, err
	}
	d := guest{called: newUUID()}
	config := filepath.Join(s.plan.Dir, name+".cfg")
	mib := (unpacked + 2*size.Size()) >> 20 // the disk is there twice while it is unpacked
	text := fmt.Sprintf(`name = "%s-%s"
uuid = "%s"
type = "pv"
kernel = "%s"
ramdisk = "%s"
extra = "quiet panic=1 -- %s %s"
memory = %d
vcpus = 1
cpus = "%d"
on_poweroff = "destroy"
on_reboot = "destroy"
on_crash = "destroy"
`, g.prefix, name, d.called, kernel, disk, LoadCommand, load, mib, cpu)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return guest{}, err
	}
	if err := s.plan.xen(d.called); err != nil {
		return guest{}, err
	}
	if out, err := exec.CommandContext(ctx, "xl", "create", config).CombinedOutput(); err != nil {
		return guest{}, impossible("xl makes no domain of %d MiB from %s ('xl mem-set 0' frees memory): %w: %.400s", mib, kernel, err, strings.Join(strings.Fields(string(out)), " "))
	}
	return d, nil
}

// newUUID is a random one (RFC 9562, version 4).
func newUUID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// lastCPU is the last CPU of Dom0's pool.
func lastCPU() (cpu int, err error) {
	h, err := xenctl.Open()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	dom0, err := h.DomainInfo(0)
	if err != nil {
		return 0, err
	}
	pool, err := h.Pool(dom0.CPUPool)
	if err != nil {
		return 0, err
	}
	if len(pool.CPUs) == 0 {
		return 0, errors.New("the cpupool of Dom0 has no CPU")
	}
	return pool.CPUs[len(pool.CPUs)-1], nil
}

// guest is a domain with that UUID.
type guest struct{ called string }

func (g guest) name() string { return g.called }

func (g guest) cpu() (time.Duration, error) {
	all, err := find([]string{g.called})
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 0, errors.New("the throw-away domain is gone: its kernel may have no support for Xen's PV guests")
	}
	return all[0].CPUTime, nil
}

const (
	bootWithin = 2 * time.Minute
	// spinning is so many seconds in a row in which the domain ran for a fifth: another
	// that spins, and Dom0, may be on its CPU.
	spinning = 4
)

// spins waits until the domain never sleeps.
func (g guest) spins(ctx context.Context) error {
	before, err := g.cpu()
	if err != nil {
		return err
	}
	for end, row := time.Now().Add(bootWithin), 0; row < spinning; {
		if time.Now().After(end) {
			return impossible("the throw-away domain does not run its program within %v: name another kernel with --kernel FILE", bootWithin)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		now, err := g.cpu()
		if err != nil {
			return err
		}
		if row++; now-before < time.Second/5 {
			row = 0
		}
		before = now
	}
	return nil
}

// find returns the domains with these UUIDs.
func find(uuids []string) (found []xenctl.DomainInfo, err error) {
	h, err := xenctl.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	all, err := h.Domains()
	for _, d := range all {
		u := d.UUID
		if slices.Contains(uuids, fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])) {
			found = append(found, d)
		}
	}
	return found, err
}

// destroy destroys the domains with these UUIDs, and waits until they are gone.
func destroy(uuids []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for wait := 0; ; wait++ {
		found, err := find(uuids)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, d := range found {
			if d.Dying {
				continue
			}
			out, failed := exec.CommandContext(ctx, "xl", "destroy", fmt.Sprint(d.ID)).CombinedOutput()
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("xl destroy %d: %w: %s", d.ID, failed, strings.TrimSpace(string(out))))
			}
		}
		if wait == 20 {
			return errors.Join(err, fmt.Errorf("%d domains are still there", len(found)))
		}
		time.Sleep(500 * time.Millisecond)
	}
}
