// SPDX-License-Identifier: Apache-2.0

//go:build packages

package packaging

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// grubProbe replaces GRUB's program in a chroot, which is on no device. GRUB's own
// scripts and ours use it.
const grubProbe = `#!/bin/sh
for a; do case $a in --target=*) target=${a#--target=};; esac; done
case "$* $target" in *"-t "*) target=${*##*-t }; target=${target%% *};; esac
case $target in
device) echo /dev/vda1 ;;
fs) echo ext2 ;;
fs_uuid) echo 11111111-2222-3333-4444-555555555555 ;;
partmap) echo msdos ;;
esac
`

const grubConfig = "/boot/grub/grub.cfg"

// bootable makes root look like a Xen host: with two kernels for Dom0, the distribution's
// Xen, and a boot menu, which it returns.
func bootable(t *testing.T) string {
	t.Helper()
	probe := root + "/usr/sbin/grub-probe"
	if err := os.Rename(probe, probe+".real"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Rename(probe+".real", probe) })
	files := map[string]string{"/usr/sbin/grub-probe": grubProbe}
	for _, v := range []string{"6.1.0-9-amd64", "6.1.0-10-amd64"} {
		files["/boot/vmlinuz-"+v] = "kernel"
		files["/boot/initrd.img-"+v] = "initrd"
		files["/boot/config-"+v] = "CONFIG_XEN=y\nCONFIG_XEN_DOM0=y\n"
	}
	// A kernel that cannot be Dom0's has no entry with Xen.
	files["/boot/vmlinuz-9.9.9-other"] = "kernel"
	files["/boot/config-9.9.9-other"] = "CONFIG_XEN=y\n"
	files["/etc/default/grub"] = "GRUB_DEFAULT=0\nGRUB_DISTRIBUTOR=Debian\nGRUB_SAVEDEFAULT=true\nGRUB_CMDLINE_LINUX_DEFAULT=quiet\nGRUB_CMDLINE_XEN=\"dom0_mem=1G sched=credit\"\n"
	for name, text := range files {
		if err := os.WriteFile(root+name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if name != "/usr/sbin/grub-probe" {
				os.Remove(root + name)
			}
		})
	}
	if err := os.MkdirAll(root+"/boot/grub", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root + "/boot/grub") })
	do(t, "grub-editenv", "-", "create")
	do(t, "update-grub")
	return menu(t)
}

func menu(t *testing.T) string {
	t.Helper()
	do(t, "grub-script-check", grubConfig)
	text, err := os.ReadFile(root + grubConfig)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var ours = regexp.MustCompile(`(?s)\n### BEGIN /etc/grub.d/50_vlibos_xen ###\n(.*)### END /etc/grub.d/50_vlibos_xen ###\n`)

// same fails at the first line in which two menus differ.
func same(t *testing.T, when, got, want string) {
	t.Helper()
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Errorf("%s: line %d of the menu is %q, want %q", when, i+1, a[i], b[i])
			return
		}
	}
	if len(a) != len(b) {
		t.Errorf("%s: the menu has %d lines, want %d", when, len(a), len(b))
	}
}

// The boot menu gets entries of our Xen at its end. The rest stays the same to the byte,
// with the same default and the same order. After the package's removal, the menu is as it
// was.
func TestBootMenuKeepsItsEntriesAndDefault(t *testing.T) {
	stock := bootable(t)
	has(t, stock, `set default="Debian GNU/Linux, with Xen hypervisor"`, "/boot/xen-4.")
	before := snapshot(t)
	install(t, hypervisorDeb)
	with := menu(t)
	entries := ours.FindStringSubmatch(with)
	if entries == nil {
		t.Fatalf("there are no entries in\n%s", with)
	}
	same(t, "without our entries", ours.ReplaceAllString(with, ""), stock)
	if after := with[strings.Index(with, entries[0])+len(entries[0]):]; strings.Contains(after, "menuentry") {
		t.Errorf("entries after ours have other numbers:\n%s", after)
	}
	checkEntries(t, entries[1])
	checkImage(t)

	chosenByHand(t)
	chosenAgain(t)
	do(t, "dpkg", "-i", "--force-depends", bring(t, next, hypervisorDeb))
	same(t, "after an upgrade", menu(t), with)
	do(t, "grub-reboot", "vlibos-xen")
	do(t, "dpkg", "-r", "vlibos-hypervisor")
	lacks(t, do(t, "grub-editenv", "list"), "vlibos-xen")
	// The script belongs to the operator until the purge, and adds nothing.
	entries = ours.FindStringSubmatch(menu(t))
	if entries == nil || entries[1] != "" {
		t.Errorf("after removal: entries %q", entries)
	}
	same(t, "after removal", ours.ReplaceAllString(menu(t), ""), stock)
	do(t, "dpkg", "--purge", "vlibos-hypervisor")
	do(t, "update-grub")
	same(t, "after a purge", menu(t), stock)
	unchanged(t, before)
}

// chosenByHand does what docs/guides/module.md says: boot the entry once, or always.
func chosenByHand(t *testing.T) {
	t.Helper()
	do(t, "grub-reboot", "vlibos-xen")
	has(t, do(t, "grub-editenv", "list"), "next_entry=vlibos-xen\n")
	do(t, "grub-editenv", "-", "unset", "next_entry")
	for name, line := range map[string]string{"/etc/default/grub": "GRUB_DEFAULT=vlibos-xen\n", "/etc/default/grub.d/xen.cfg": "XEN_OVERRIDE_GRUB_DEFAULT=0\n"} {
		was, err := os.ReadFile(root + name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(was) + line
		if strings.HasPrefix(line, "XEN") {
			text = line + string(was) // as if the file had it at its beginning
		}
		if err := os.WriteFile(root+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.WriteFile(root+name, was, 0o644)
	}
	do(t, "update-grub")
	has(t, menu(t), `set default="vlibos-xen"`)
}

// chosenAgain runs what the service vlibos-xen runs once the master serves: a boot that
// did not come so far is followed by one of GRUB's default.
func chosenAgain(t *testing.T) {
	t.Helper()
	master := root + "/usr/bin/vlibmaster"
	defer os.Remove(master)
	defer do(t, "grub-editenv", "-", "unset", "next_entry", "vlibos_boot")
	boot := func(host string) string {
		if err := os.WriteFile(master, []byte("#!/bin/sh\necho '{\"host\": \""+host+"\"}'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		out, _ := inside("/usr/lib/vlibos/boot-again").CombinedOutput()
		return string(out)
	}
	has(t, boot("stock"), "grub-reboot vlibos-xen")
	lacks(t, do(t, "grub-editenv", "list"), "next_entry")
	for range 2 { // a restart of the service changes nothing
		boot("module")
		has(t, do(t, "grub-editenv", "list"), "next_entry=vlibos-xen\n")
	}
	do(t, "grub-editenv", "-", "set", "vlibos_boot=another")
	has(t, boot("module"), "cannot write its environment")
	lacks(t, do(t, "grub-editenv", "list"), "next_entry")
}

func checkEntries(t *testing.T, text string) {
	t.Helper()
	entries := strings.Split(text, "menuentry ")[1:]
	if len(entries) != 2 {
		t.Fatalf("%d entries, want one for each kernel of a Dom0:\n%s", len(entries), text)
	}
	for i, want := range [][]string{
		{"--id 'vlibos-xen' {", "module2 /boot/vmlinuz-6.1.0-10-amd64 ", "module2 --nounzip /boot/initrd.img-6.1.0-10-amd64\n"},
		{"--id 'vlibos-xen-4.", "module2 /boot/vmlinuz-6.1.0-9-amd64 ", "module2 --nounzip /boot/initrd.img-6.1.0-9-amd64\n"},
	} {
		has(t, entries[i], want...)
		// The operator's options come first and then the scheduler: Xen uses the last of
		// two.
		if !regexp.MustCompile(`(?m)^multiboot2 /boot/vlibos-xen-\S+\.gz placeholder dom0_mem=1G sched=credit .*sched=vlib \$\{vlibos_efi\}$`).MatchString(entries[i]) {
			t.Errorf("does not load our Xen:\n%s", entries[i])
		}
		has(t, entries[i], "root=/dev/vda1 ro ", "quiet", "insmod part_msdos", "insmod gzio")
		lacks(t, entries[i], "savedefault", "vmlinuz-9.9.9")
	}
}

// The image is the tested one, and GRUB can load it.
func checkImage(t *testing.T) {
	t.Helper()
	found, err := filepath.Glob(root + "/boot/vlibos-xen-*.gz")
	if err != nil || len(found) != 1 {
		t.Fatalf("images: %q, %v", found, err)
	}
	do(t, "grub-file", "--is-x86-multiboot2", strings.TrimPrefix(found[0], root))
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	image, err := io.ReadAll(z)
	if err != nil || !bytes.HasPrefix(image, []byte("\x7fELF")) || !bytes.Contains(image, []byte("vlib")) {
		t.Errorf("%s: %d bytes, %v: not Xen with the module", found[0], len(image), err)
	}
	source, err := os.ReadFile(root + "/usr/share/doc/vlibos-hypervisor/SOURCE")
	if err != nil || !regexp.MustCompile(`source package xen \d+\.\d+[^\s]*-\d.*\n(?s:.*)commit\n[0-9a-f]{40}\.`).Match(source) {
		t.Errorf("SOURCE: %v\n%s", err, source)
	}
	// An operator sees in the description that it is older than Debian's.
	described := do(t, "dpkg-query", "--show", "--showformat", "${Description}", "vlibos-hypervisor")
	if strings.Contains(described, "WARNING") != bytes.Contains(source, []byte("WARNING")) {
		t.Errorf("SOURCE:\n%s\nthe package's description:\n%s", source, described)
	}
}
