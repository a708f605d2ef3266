// SPDX-License-Identifier: Apache-2.0

//go:build packages

package packaging

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
)

// debian makes in dir a minimal installation of a release, from the archive that the
// lab takes its packages from. The first time it uses debootstrap; then it unpacks the
// result from the cache, where the key is what the package sources offer and what is
// wanted.
func debian(ctx context.Context, dir, codename string, packages []string, log io.Writer) error {
	cache, err := image.DefaultCache()
	if err != nil {
		return err
	}
	sources, err := packageLists(ctx, cache, codename, log)
	if err != nil {
		return err
	}
	key, err := contentKey(sources, packages)
	if err != nil {
		return err
	}
	tarball := filepath.Join(cache.Dir, "debian", codename+"-"+key+".tar")
	if _, err := os.Stat(tarball); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(log, "making", tarball)
		if err := bootstrap(ctx, tarball, codename, sources, packages, log); err != nil {
			return err
		}
	}
	return command(ctx, log, "tar", "-C", dir, "--numeric-owner", "-xpf", tarball)
}

// packageLists returns the package lists of a release. It fetches them if they never were.
func packageLists(ctx context.Context, cache *image.Cache, codename string, log io.Writer) ([]debs.List, error) {
	release, err := cache.Release(ctx, codename, log)
	if err != nil {
		return nil, err
	}
	lists, err := release.Lists(ctx)
	if err != nil || len(lists) > 0 {
		return lists, err
	}
	if err := release.Update(ctx, log); err != nil {
		return nil, err
	}
	return release.Lists(ctx)
}

func contentKey(sources []debs.List, packages []string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, sources, packages)
	for _, s := range sources {
		f, err := os.Open(s.Path)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func bootstrap(ctx context.Context, tarball, codename string, sources []debs.List, packages []string, log io.Writer) (err error) {
	if _, err := exec.LookPath("debootstrap"); err != nil {
		if err := debs.Install(ctx, log, "debootstrap"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(tarball), 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(tarball), "tmp-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	root := filepath.Join(dir, "root")
	if err := command(ctx, log, "debootstrap", "--variant=minbase", codename, root, sources[0].URI); err != nil {
		return err
	}
	var list strings.Builder
	for _, s := range sources {
		fmt.Fprintf(&list, "deb %s %s %s\n", s.URI, s.Suite, s.Component)
	}
	for name, text := range map[string]string{
		"etc/apt/sources.list":   list.String(),
		"usr/sbin/policy-rc.d":   "#!/bin/sh\nexit 101\n", // its services must not run here
		"etc/apt/apt.conf.d/lab": "APT::Install-Recommends \"no\";\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"update"}, append([]string{"-y", "install"}, packages...), {"clean"}} {
		if err := command(ctx, log, "chroot", append([]string{root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-qq"}, args...)...); err != nil {
			return err
		}
	}
	tmp := filepath.Join(dir, "tar")
	if err := command(ctx, log, "tar", "-C", root, "--numeric-owner", "--exclude=./dev/*", "--exclude=./proc/*", "--exclude=./sys/*",
		"--exclude=./var/lib/apt/lists/*", "-cf", tmp, "."); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(filepath.Dir(tarball), codename+"-*.tar"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return os.Rename(tmp, tarball)
}

func command(ctx context.Context, log io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		text := out.String()
		return fmt.Errorf("%s %s: %w: …%s", name, strings.Join(args, " "), err, text[max(0, len(text)-2000):])
	}
	fmt.Fprintln(log, "done:", name, args)
	return nil
}
