// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFilesAreCheckedBeforeABoot(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	deliver := func(f File) (*delivery, error) {
		d, err := newDelivery(Config{DomUAdd: []File{f}}, dir)
		if err == nil {
			t.Cleanup(d.close)
		}
		return d, err
	}
	if err := os.WriteFile(at("huge"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(at("huge"), 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, err := deliver(File{Host: at("huge"), Guest: "/x"}); !errors.Is(err, errTooMuch) {
		t.Errorf("1 TiB: %v", err)
	}
	if err := os.Mkdir(at("folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(at("folder/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"/dev/null", at("folder")} {
		if _, err := deliver(File{Host: host, Guest: "/x"}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := deliver(File{Host: at("missing"), Guest: "/x"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestLinkToAFolderIsThatFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "folder", "file"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("folder", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	c := Config{Add: []File{{Host: filepath.Join(dir, "link"), Guest: "/opt/"}}}
	d, err := newDelivery(c, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	if err := d.put(); err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 2048)
	if _, err := d.disks[0].ReadAt(block, 4096); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(block), "opt/link/file") {
		t.Errorf("on the disk: %q", strings.Trim(string(block), "\x00"))
	}
	if c.Add[0].Guest != "/opt/" {
		t.Errorf("the caller's configuration is changed: %+v", c.Add)
	}
}

func TestServerInAFolderIsAwaited(t *testing.T) {
	dir := t.TempDir()
	server := filepath.Join(dir, "elsewhere", serverName)
	if err := os.Mkdir(filepath.Dir(server), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(server, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := newDelivery(Config{DomUAdd: []File{{Host: server, Guest: "/usr/bin/"}}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	if !d.hasServer() {
		t.Error("no server is awaited")
	}
}
