// SPDX-License-Identifier: Apache-2.0

package source

import "regexp"

// form is a way of writing that this tree does not have.
type form struct {
	banned  string // a regular expression; case is ignored, and a space matches a line break
	instead string // what to write
	why     string
	allowed string // what stands around a banned match that is right after all
}

const (
	things   = "domains, threads and programs are things: 'who' is for people"
	inverted = "English puts the object after the verb"
	archaic  = "not in use: a reader stops at it"
	vague    = "says nothing that can be looked up"
)

// people are what may be 'who'.
const people = `(users?|operators?|person|people|authors?|readers?|administrators?|developers?|vendors?|researchers?)`

// forms are searched in comments, string literals, pages and scripts.
var forms = []form{
	{banned: `\b(who|whom)\b`, instead: "which, that, a domain that, the caller that; or a user who", why: things, allowed: `\b` + people + `(,|\.)? (\w+ )?who(m)?\b`},
	{banned: `\bwho(m)?ever\b`, instead: "any domain that, any thread that, the caller", why: things},
	{banned: `\bnobody('s)?\b`, instead: "nothing, no domain, no thread, no process", why: things, allowed: "(user|as|gid|uid|group|owner|=|`|'|\") ?nobody|nobody[:`\"-]|^nobody$"},
	{banned: `\b(some|any|every)body('s| else)?\b`, instead: "another domain, any process, all threads", why: things},
	{banned: `\b(some|any|every)one('s| else)\b`, instead: "another's: of which domain, process or user", why: things},

	{banned: `\bso long\b`, instead: "as long as, while", why: archaic, allowed: `for so long|so long that`},
	{banned: `\banew\b`, instead: "again; restarted, recreated, reset", why: archaic},
	{banned: `\bin vain\b`, instead: "without success", why: archaic},
	{banned: `\bfor ever\b`, instead: "forever, permanently, without end", why: archaic},
	{banned: `\bfor good\b`, instead: "permanently", why: vague},
	{banned: `\bas (it|they) comes?\b`, instead: "unchanged, in the order of arrival, as read", why: vague},
	{banned: `\bgood for nothing\b`, instead: "unusable, of no use", why: vague},
	{banned: `\b(goes|go|going|went|gone) on\b`, instead: "continues, runs, happens", why: vague, allowed: `\b(go|goes|going) on (the|a|its|this) (CPU|disk|list|queue|stack)`},
	{banned: `\b(lets?|letting) (\w+ )?go\b`, instead: "releases, thaws, resumes", why: vague},
	{banned: `\ba second time\b`, instead: "again, twice, duplicate", why: "the number of times is rarely two"},
	{banned: `\bstands (here|there)\b`, instead: "is here; duplicate", why: vague},
	{banned: `\bin all([.,;:)]|$)`, instead: "in total, together", why: archaic},

	{banned: `\b(has|have|had|does|do|did|is|are|was) (it|them|they|him) not\b`, instead: "does not have it, is it not so that", why: inverted},
	{banned: `\b(has|have|had) not (a|an|the|one|any|that|this|its)\b`, instead: "does not have the, has no", why: inverted},
	{banned: `\b(know|need|want|say|take)s? not\b`, instead: "does not know", why: inverted, allowed: `need not\b`},
	{banned: `\bwhich is what\b`, instead: "name the thing: the default, the reason", why: "a noun is left out"},
	{banned: `\bof which is what\b`, instead: "name the thing", why: "a noun is left out"},
	{banned: `(^|[.!?] )(?-i:What) (is|was|are|were|has|have|had|does|do|did|can|cannot|will|needs)\b[^?]*?([.;:]|$)`, instead: "a noun: 'A domain that is not …', 'Files that …'", why: "a sentence begins with its subject"},
	{banned: `\b(purse|bill|tally)s?\b`, instead: "account, receipt, count", why: "a private word; the glossary has the usual one"},
}

// names are words of identifiers and of file names that say nothing to a stranger.
var names = map[string]string{
	"purse": "account",
	"hand":  "what it does: weights, writer",
	"held":  "reservation, locked, entry",
	"kept":  "entry, budgeted, saved",
	"wish":  "request, reservation, wanted",
	"bill":  "receipt, charge",
	"plant": "bus, model",
	"aside": "the folder, the previous one",
	"tally": "count, latency",
	"wire":  "protocol, encoding, format",
}

// usual are names with such words that are Xen's own or plain English.
var usual = regexp.MustCompile(`^xs_wire$|ByHand`)

var compiled = func() (all []*regexp.Regexp) {
	for _, f := range forms {
		all = append(all, regexp.MustCompile(`(?i)`+f.banned))
	}
	return all
}()
