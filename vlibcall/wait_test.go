// SPDX-License-Identifier: Apache-2.0

package vlibcall

import "testing"

// looks is how many looks p takes for a word that is there after some pauses.
func looks(p *patience, after int) int {
	return max(1, after-p.steps/stepsPerPause)
}

// The first look settles where the word is there, follows it, and comes too early in
// few of the rounds. It never waits for longer than the limit.
func TestPatienceFollowsThePeer(t *testing.T) {
	p := patience{most: 40}
	for _, after := range []int{15, 3, 30, 1000} {
		early, longest := 0, 0
		for round := range 2000 {
			n := looks(&p, after)
			p.looked(n)
			if round < 1000 {
				continue
			}
			if n > 1 {
				early++
			}
			longest = max(longest, p.steps/stepsPerPause)
		}
		switch {
		case longest > p.most:
			t.Errorf("the word after %d pauses: waited %d, the limit is %d", after, longest, p.most)
		case after > p.most && longest != p.most:
			t.Errorf("the word after %d pauses: waited %d, want the limit, %d", after, longest, p.most)
		case after <= p.most && (early > 1000/stepsPerPause || longest > after+2):
			t.Errorf("the word after %d pauses: %d of 1000 looks too early, waited up to %d", after, early, longest)
		}
	}
}
