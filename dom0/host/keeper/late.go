// SPDX-License-Identifier: Apache-2.0

package keeper

import "slices"

// back reverts the assistant's changes, if the keeper was too late.
func (k *Keeper) back() {
	if k.assistant == nil || !k.assistant.acted() {
		return
	}
	if k.fifo {
		_ = Realtime() // which was allowed before
	}
	if k.o.Late != nil {
		k.o.Late()
	}
	if !k.watches() {
		return
	}
	for _, e := range slices.Collect(k.Entries()) {
		e.reapply = true
		k.Look(e)
	}
}

// watches reports whether the assistant knows threads other than the keeper's own:
// only these can have changed.
func (k *Keeper) watches() bool {
	n := len(k.assistant.at)
	return n > 1 || n == 1 && !k.fifo
}

// Watch sets the policy that a thread is to have if the keeper is too late to
// end its foreground. Unwatch ends that. A thread is watched before it is raised,
// and until it has been lowered: at any moment between, the runtime may stop the
// keeper, for as long as that thread runs.
func (k *Keeper) Watch(tid, policy int) {
	if k.assistant != nil {
		k.assistant.watch(tid, policy)
	}
}

// Unwatch ends Watch, if there was one.
func (k *Keeper) Unwatch(tid int) {
	if k.assistant != nil {
		k.assistant.unwatch(tid)
	}
}

// WriteWhenLate sets the text, up to 8 bytes, that is to be written to a file
// if the keeper is too late. Options.Late undoes that. "" cancels it. As [Keeper.Watch],
// it comes before what it is to undo.
func (k *Keeper) WriteWhenLate(file int, text string) {
	if k.assistant != nil {
		k.assistant.write(file, text)
	}
}
