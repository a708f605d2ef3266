// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// payloadDir has live patches, each named after the build-id that it is for.
const payloadDir = "/usr/lib/vlibos/livepatch"

// patchName is the module's name in Xen's list of live patches.
const patchName = "vlibos"

// errOtherXen is the refusal of a live patch that was built for another hypervisor.
var errOtherXen = errors.New("the live patch is for another Xen")

func moduleCommand() *cli.Command {
	return &cli.Command{
		Name:  "module",
		Usage: "add the module to the Xen that runs, without a reboot, or take it out",
		Description: `The module as a live patch serves domains in cpupools of its own; Dom0, and every other
pool, stay under the scheduler that they have. A live patch fits one build of Xen: that
of its build-id. 'make livepatch' makes one from Debian's source.

   vlibmaster module load
   xl cpupool-cpu-remove Pool-0 1
   xl cpupool-create 'name="vlib"' 'sched="null"' 'cpus=["1"]'
   xl cpupool-migrate web vlib
   vlibmaster --host module serve

The scheduler has null's number, since xl knows no other. The module is gone after the
next boot.`,
		Subcommands: []*cli.Command{{
			Name:      "load",
			Usage:     "load the module: FILE, or the live patch in " + payloadDir + " for this Xen",
			ArgsUsage: "[FILE]",
			Action:    onXen(atMostOneFile, loadModule),
		}, {
			Name:        "unload",
			Usage:       "take the module out",
			Description: `It is refused while a cpupool is under the module's scheduler. Reservations and gates end.`,
			Action:      onXen(noArguments, unloadModule),
		}, {
			Name:   "status",
			Usage:  "show the build-id of this Xen, and whether the module is there",
			Flags:  []cli.Flag{jsonFlag("")},
			Action: onXen(noArguments, moduleStatus),
		}},
	}
}

// onXen is an action on this Xen, whose arguments are checked first.
func onXen(check func(*cli.Context) error, do func(*cli.Context, *xenctl.Handle) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := check(c); err != nil {
			return err
		}
		h, err := xenctl.Open()
		if err != nil {
			return err
		}
		defer h.Close()
		return do(c, h)
	}
}

func atMostOneFile(c *cli.Context) error {
	if c.NArg() > 1 {
		return usagef("module load takes one FILE, got %d", c.NArg())
	}
	return nil
}

func loadModule(c *cli.Context, h *xenctl.Handle) error {
	switch state, err := patchState(h); {
	case err != nil:
		return err
	case state == xenctl.PatchApplied:
		return say(c, "the module is loaded already")
	case state == xenctl.PatchChecked:
		if err := h.UnloadPatch(patchName); err != nil { // left over by a load that was killed
			return err
		}
	}
	if _, err := vlib.Open(h); err == nil {
		return errors.New("this Xen has the module: it was booted with it, or xen-livepatch has loaded it under another name")
	}
	id, err := h.BuildID()
	if err != nil {
		return err
	}
	file := c.Args().First()
	if file == "" {
		file = payloadOf(id)
	}
	payload, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no live patch for this Xen, whose build-id is %s: %w ('make livepatch' makes one for the Xen that it names)", id, err)
	}
	if err != nil {
		return err
	}
	switch of, err := patchFor(file); {
	case err != nil:
		return fmt.Errorf("%s is no live patch: %w", file, err)
	case of != id:
		return fmt.Errorf("%w: %s is for build-id %s, and %s runs", errOtherXen, file, of, id)
	}
	if err := h.UploadPatch(patchName, payload); err != nil {
		return fmt.Errorf("nothing has changed; 'xl dmesg' has Xen's reason: %w", err)
	}
	if err := h.ApplyPatch(patchName); err != nil {
		if errors.Is(err, unix.EINVAL) {
			err = fmt.Errorf("another live patch is in force, and this one is for a Xen without: revert that one (xen-livepatch list): %w", err)
		}
		return errors.Join(err, h.UnloadPatch(patchName))
	}
	return say(c, "the module is loaded: make a cpupool with sched=\"null\" for its domains")
}

func unloadModule(c *cli.Context, h *xenctl.Handle) error {
	state, err := patchState(h)
	switch {
	case err != nil:
		return err
	case state == 0:
		return say(c, "the module is not loaded")
	case state == xenctl.PatchApplied:
		switch err := h.RevertPatch(patchName); {
		case errors.Is(err, xenctl.ErrPatchBusy):
			return fmt.Errorf("a cpupool uses the module: move its domains (xl cpupool-migrate DOMAIN Pool-0) and xl cpupool-destroy it; "+
				"or another live patch came after it (xen-livepatch list): %w", err)
		case errors.Is(err, xenctl.ErrPatchGivenUp):
			return fmt.Errorf("the module stays, without reservations and without new cpupools, until the next unload: %w", err)
		case err != nil:
			return err
		}
	}
	if err := h.UnloadPatch(patchName); err != nil {
		return err
	}
	return say(c, "the module is unloaded")
}

// moduleState is where the module is.
type moduleState string

const (
	moduleAbsent   moduleState = "absent"
	moduleUploaded moduleState = "uploaded" // and not in force
	moduleLoaded   moduleState = "loaded"
	moduleBooted   moduleState = "booted" // or loaded under another name
)

// moduleReport is what 'module status' shows.
type moduleReport struct {
	BuildID string      `json:"build_id"`
	Module  moduleState `json:"module"`
	Patch   string      `json:"patch,omitempty"` // a file that fits this Xen
}

func (r moduleReport) String() string {
	text := map[moduleState]string{
		moduleAbsent: "not loaded", moduleLoaded: "loaded",
		moduleUploaded: "uploaded, and not in force: 'vlibmaster module load' begins again",
		moduleBooted:   "a part of the Xen that was booted, or loaded under another name (xen-livepatch list)",
	}[r.Module]
	if r.Module == moduleAbsent && r.Patch != "" {
		text += ", " + r.Patch + " fits"
	}
	return fmt.Sprintf("build-id  %s\nmodule    %s", r.BuildID, text)
}

func moduleStatus(c *cli.Context, h *xenctl.Handle) error {
	id, err := h.BuildID()
	if err != nil {
		return err
	}
	state, err := patchState(h)
	if err != nil {
		return err
	}
	r := moduleReport{BuildID: id, Module: moduleAbsent}
	if _, err := os.Stat(payloadOf(id)); err == nil {
		r.Patch = payloadOf(id)
	}
	_, absent := vlib.Open(h)
	switch {
	case state == xenctl.PatchApplied:
		r.Module = moduleLoaded
	case state == xenctl.PatchChecked:
		r.Module = moduleUploaded
	case absent == nil:
		r.Module = moduleBooted
	}
	if c.Bool("json") {
		return joinObjects(c.App.Writer, r)
	}
	return say(c, r.String())
}

func say(c *cli.Context, text string) error {
	_, err := fmt.Fprintln(c.App.Writer, text)
	return err
}

func payloadOf(id string) string { return filepath.Join(payloadDir, id+".livepatch") }

// patchState returns the state of the module's live patch; 0 if there is none.
func patchState(h *xenctl.Handle) (xenctl.PatchState, error) {
	state, err := h.PatchState(patchName)
	switch {
	case errors.Is(err, xenctl.ErrNoPatch):
		return 0, nil
	case errors.Is(err, xenctl.ErrNotSupported):
		return 0, fmt.Errorf("this Xen takes no live patches: %w", err)
	}
	return state, err
}

// patchFor returns the build-id of the Xen that a live patch is for, from its ELF note.
func patchFor(file string) (string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	s := f.Section(".livepatch.xen_depends")
	if s == nil {
		return "", errors.New("it names no Xen")
	}
	note, err := s.Data()
	if err != nil {
		return "", err
	}
	// Three words, a name padded to four bytes, and the build-id.
	const header = 12
	if len(note) < header {
		return "", errors.New("its note is cut off")
	}
	name := (uint64(binary.LittleEndian.Uint32(note)) + 3) &^ 3
	size := uint64(binary.LittleEndian.Uint32(note[4:]))
	if uint64(len(note)) < header+name+size {
		return "", errors.New("its note is cut off")
	}
	return hex.EncodeToString(note[header+name:][:size]), nil
}
