// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vlibos/vlibos/lab/labproto"
)

// serverNode is the node that a vLib OS writes under its home when it listens
// (docs/reference/channel.md). It shows that the domain can be called.
const serverNode = "data/vlibos/1/server"

// pollDomain is the time between two looks at a domain's state.
const pollDomain = 50 * time.Millisecond

// createDomains creates the plan's domains and waits until each waits for the run's
// files.
func (h *hostConn) createDomains(plan *labproto.Plan) error {
	if len(plan.Domains) == 0 {
		return nil
	}
	ramdisk := "/tmp/ramdisk"
	if err := concatenate(ramdisk, plan.Ramdisk); err != nil {
		return fmt.Errorf("the DomUs' ramdisk: %w", err)
	}
	for _, d := range plan.Domains {
		if err := h.enter("creating domain %s", d.Name); err != nil {
			return err
		}
		name := filepath.Join("/etc/xen", d.Name+".cfg")
		text := fmt.Sprintf("name = %q\nkernel = %q\nramdisk = %q\n%s", d.Name, plan.Kernel, ramdisk, d.Config)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
		if d.Disk != "" {
			if err := makeDisk(d); err != nil {
				return err
			}
		}
		if err := program("xl", "create", name); err != nil {
			return err
		}
		id, err := domainID(d.Name)
		if err != nil {
			return err
		}
		h.domains = append(h.domains, domain{d.Name, id})
		if err := attachDisk(id, domuFiles); err != nil {
			return err
		}
	}
	for _, d := range h.domains {
		if err := h.enter("waiting for %s to boot", d.name); err != nil {
			return err
		}
		if err := awaitDisk(d, diskConnected, "connection to its disk"); err != nil {
			return err
		}
	}
	return nil
}

// makeDisk makes the file of a domain's disk.
func makeDisk(d labproto.DomU) error {
	if err := os.WriteFile(d.Disk, []byte(d.Name+"\n"), 0o600); err != nil {
		return err
	}
	return os.Truncate(d.Disk, labproto.DiskSize)
}

// startDomains waits until each domain has the run's files and, unless waitSeconds
// is 0, until its server is announced.
func (h *hostConn) startDomains(waitSeconds int) error {
	for _, d := range h.domains {
		if err := h.enter("copying files to %s", d.name); err != nil {
			return err
		}
		if err := awaitDisk(d, diskClosed, "confirmation of its files"); err != nil {
			return err
		}
		if err := detachDisk(d.id); err != nil {
			return err
		}
	}
	if waitSeconds == 0 {
		return nil
	}
	for _, d := range h.domains {
		if err := h.waitServer(d, time.Duration(waitSeconds)*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// domain is a running domain.
type domain struct{ name, id string }

func domainID(name string) (string, error) {
	out, err := exec.Command("xl", "domid", name).Output()
	if err != nil {
		return "", fmt.Errorf("domain %s does not exist: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// home returns the domain's folder in xenstore.
func (d domain) home() string { return "/local/domain/" + d.id }

// await calls there until it returns true or the domain is gone. what is a noun
// phrase for what is awaited.
func (d domain) await(what string, limit time.Duration, there func() bool) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(pollDomain) {
		if there() {
			return nil
		}
		if err := exec.Command("xenstore-exists", d.home()).Run(); err != nil {
			return fmt.Errorf("domain %s has ended before %s", d.name, what)
		}
	}
	return fmt.Errorf("domain %s: no %s after %v", d.name, what, limit)
}

// waitServer waits until the server in a domain is announced.
func (h *hostConn) waitServer(d domain, limit time.Duration) error {
	if err := h.enter("waiting for the server in %s", d.name); err != nil {
		return err
	}
	node := d.home() + "/" + serverNode
	return d.await("announcement of its server in xenstore ("+node+")", limit, func() bool {
		return exec.Command("xenstore-exists", node).Run() == nil
	})
}

// concatenate writes the files one after another to a new file.
func concatenate(name string, files []string) (err error) {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, bytes.NewReader(data)); err != nil {
			return err
		}
	}
	return nil
}
