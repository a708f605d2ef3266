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

	"github.com/vlibos/vlibos/lab/wire"
)

// serverNode is what a vLib OS writes under its home when it listens
// (docs/channel.md): the sign that it can be called.
const serverNode = "data/vlibos/1/server"

// pollServer is how often the sign is looked for.
const pollServer = 100 * time.Millisecond

func (h *host) createDomains(job *wire.Job) error {
	if len(job.Domains) == 0 {
		return nil
	}
	ramdisk := "/tmp/ramdisk"
	if err := concatenate(ramdisk, job.Ramdisk); err != nil {
		return fmt.Errorf("the DomUs' ramdisk: %w", err)
	}
	for _, d := range job.Domains {
		if err := h.enter("creating domain %s", d.Name); err != nil {
			return err
		}
		name := filepath.Join("/etc/xen", d.Name+".cfg")
		text := fmt.Sprintf("name = %q\nkernel = %q\nramdisk = %q\n%s", d.Name, job.Kernel, ramdisk, d.Config)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
		if err := program("xl", "create", name); err != nil {
			return err
		}
	}
	if job.WaitSeconds > 0 {
		for _, d := range job.Domains {
			if err := h.waitServer(d.Name, time.Duration(job.WaitSeconds)*time.Second); err != nil {
				return err
			}
		}
	}
	return nil
}

// waitServer waits until the server in a domain has announced itself.
func (h *host) waitServer(domain string, limit time.Duration) error {
	if err := h.enter("waiting for the server in %s", domain); err != nil {
		return err
	}
	out, err := exec.Command("xl", "domid", domain).Output()
	if err != nil {
		return fmt.Errorf("domain %s is gone before its server was up: %w", domain, err)
	}
	home := "/local/domain/" + strings.TrimSpace(string(out))
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(pollServer) {
		if exec.Command("xenstore-exists", home+"/"+serverNode).Run() == nil {
			return nil
		}
		if err := exec.Command("xenstore-exists", home).Run(); err != nil {
			return fmt.Errorf("domain %s is gone before its server was up", domain)
		}
	}
	return fmt.Errorf("no %s/%s in xenstore after %v: the server in %s does not come up", home, serverNode, limit, domain)
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
