// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"encoding/hex"
	"errors"
	"fmt"
	"structs"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PatchState is the state of a live patch in Xen, LIVEPATCH_STATE_*.
type PatchState uint32

// The states of a patch that Xen has.
const (
	PatchChecked PatchState = 1 // uploaded, and not in force
	PatchApplied PatchState = 2
)

var (
	// ErrPatchBusy reports that a live patch cannot be reverted: it is in use, or another
	// was applied after it.
	ErrPatchBusy = errors.New("the live patch is in use")

	// ErrNoPatch reports that there is no live patch of that name.
	ErrNoPatch = errors.New("no such live patch")

	// ErrPatchGivenUp reports that Xen could not stop all CPUs, or found a vCPU that waits in
	// the hypervisor.
	ErrPatchGivenUp = errors.New("Xen gave it up")
)

// MaxPatch is the largest live patch that Xen accepts, LIVEPATCH_MAX_SIZE.
const MaxPatch = 2 << 20

// patchLimit is how long Xen tries to stop all CPUs, and patchWait how long to wait for the
// end of that.
const (
	patchLimit = 500 * time.Millisecond
	patchWait  = 30 * time.Second
)

// BuildID returns the build-id of the hypervisor that runs, in hex. It has none if it was
// linked without: [ErrNotSupported].
func (h *Handle) BuildID() (string, error) {
	id, err := h.buildID()
	return hex.EncodeToString(id), opError("ask for the build-id", err)
}

func (h *Handle) buildID() ([]byte, error) {
	b, err := h.buffers.get()
	if err != nil {
		return nil, err
	}
	defer h.buffers.put(b)
	p, addr := b.at(0)
	id := (*buildID)(p)
	id.length = uint32(len(id.id))
	n, err := h.hypercall(hypercallXenVersion, xenverBuildID, addr)
	if err != nil {
		return nil, err
	}
	if n > uintptr(len(id.id)) {
		return nil, fmt.Errorf("%w: a build-id of %d bytes", ErrBroken, n)
	}
	return append([]byte(nil), id.id[:n]...), nil
}

// PatchState returns the state of the live patch of that name. Errors: [ErrNoPatch];
// [ErrNotSupported], if Xen takes no live patches.
func (h *Handle) PatchState(name string) (PatchState, error) {
	state, _, err := h.patchStatus(name)
	return state, opError("look up live patch "+name, err)
}

func (h *Handle) patchStatus(name string) (state PatchState, rc int32, err error) {
	err = h.livepatch(livepatchGet, name, func(*livepatchOp) {}, func(u *livepatchOp) {
		got := (*livepatchStatus)(unsafe.Pointer(&u.rest))
		state, rc = PatchState(got.state), got.rc
	})
	return state, rc, err
}

// UploadPatch gives Xen a live patch under a name that is not in use. Xen checks it, also
// that it is for this build of the hypervisor; nothing changes yet.
func (h *Handle) UploadPatch(name string, payload []byte) error {
	return opError("upload live patch "+name, h.uploadPatch(name, payload))
}

func (h *Handle) uploadPatch(name string, payload []byte) error {
	if len(payload) == 0 || len(payload) > MaxPatch {
		return fmt.Errorf("it has %d bytes, and Xen accepts 1 to %d", len(payload), MaxPatch)
	}
	mem, err := lockedMemory(len(payload))
	if err != nil {
		return err
	}
	copy(mem, payload)
	err = h.livepatch(livepatchUpload, name, func(u *livepatchOp) {
		up := (*livepatchPayload)(unsafe.Pointer(&u.rest))
		up.size, up.payload = uint64(len(payload)), uint64(uintptr(unsafe.Pointer(&mem[0])))
	}, nil)
	return errors.Join(err, unix.Munmap(mem))
}

// ApplyPatch puts an uploaded live patch in force. [ErrPatchGivenUp]: nothing has changed.
func (h *Handle) ApplyPatch(name string) error {
	return opError("apply live patch "+name, h.patchAction(name, livepatchApply, PatchApplied))
}

// RevertPatch ends what a live patch does. [ErrPatchBusy]: it has refused, or is not the
// last that was applied. [ErrPatchGivenUp]: it has not refused, and may have given up what
// it held. In both cases it stays in force.
func (h *Handle) RevertPatch(name string) error {
	return opError("revert live patch "+name, h.patchAction(name, livepatchRevert, PatchChecked))
}

// UnloadPatch removes a live patch that is not in force.
func (h *Handle) UnloadPatch(name string) error {
	return opError("unload live patch "+name, h.patchAction(name, livepatchUnload, 0))
}

// patchAction starts an action and waits until the patch is in the state that follows; 0:
// it has none.
func (h *Handle) patchAction(name string, action uint32, then PatchState) error {
	err := h.livepatch(livepatchAction, name, func(u *livepatchOp) {
		a := (*livepatchDo)(unsafe.Pointer(&u.rest))
		a.cmd, a.timeout = action, uint32(patchLimit)
	}, nil)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%w (%w)", ErrPatchBusy, err)
	}
	if err != nil || then == 0 {
		return err
	}
	for end := time.Now().Add(patchWait); ; time.Sleep(10 * time.Millisecond) {
		state, rc, err := h.patchStatus(name)
		switch {
		case err != nil:
			return err
		case state == then && rc == 0:
			return nil
		case rc != 0 && unix.Errno(-rc) != unix.EAGAIN:
			return fmt.Errorf("%w: CPUs did not all stand still within %v, or a vCPU waits in the hypervisor ('xl dmesg' has the reason): %w",
				ErrPatchGivenUp, patchLimit, unix.Errno(-rc))
		case time.Now().After(end):
			return fmt.Errorf("no answer from Xen within %v", patchWait)
		}
	}
}

// livepatch makes one request about the patch of a name. fill sets the request's own
// members, and take reads the answer's.
func (h *Handle) livepatch(cmd uint32, name string, fill func(*livepatchOp), take func(*livepatchOp)) error {
	if len(name) >= livepatchNameSize {
		return fmt.Errorf("%q is longer than %d bytes", name, livepatchNameSize-1)
	}
	return sysctlOf(h, sysctlLivepatch, func(u *livepatchOp, b *buffer, ask func() error) error {
		text, addr := b.at(mapOffset)
		copy(unsafe.Slice((*byte)(text), livepatchNameSize), name)
		u.cmd, u.name, u.nameSize = cmd, addr, uint16(len(name)+1)
		fill(u)
		switch err := ask(); {
		case errors.Is(err, unix.ENOENT) && cmd == livepatchUpload:
			return errors.New("it needs a symbol that this Xen lacks")
		case errors.Is(err, unix.ENOENT):
			return ErrNoPatch
		case err != nil:
			return err
		}
		if take != nil {
			take(u)
		}
		return nil
	})
}

// livepatchOp has the members that all requests about one patch begin with. In rest is
// one of the three structures below.
type livepatchOp struct {
	_        structs.HostLayout
	cmd      uint32
	pad      uint32
	name     uint64
	nameSize uint16
	namePad  [3]uint16
	rest     livepatchPayload
}

type livepatchPayload struct {
	_       structs.HostLayout
	size    uint64
	payload uint64
}

type livepatchStatus struct {
	_     structs.HostLayout
	state uint32
	rc    int32
}

type livepatchDo struct {
	_       structs.HostLayout
	cmd     uint32
	timeout uint32 // in ns
	flags   uint32
	pad     uint32
}

// buildID is struct xen_build_id with room for a SHA-1 and more.
type buildID struct {
	_      structs.HostLayout
	length uint32
	id     [64]byte
}
