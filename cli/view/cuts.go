package view

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// cutsOf the holders of an address say in words which of them do not see all other speakers, or not in every way: who is cut off when several
// hold it, and where a node stands in for another. They have none of who is well, and of reports that are old.
func (c *Cluster) cutsOf(holders []Holder) (texts []string) {
	there := 0
	for _, s := range c.speakers {
		if !lb.SpeakerGone(s) {
			there++
		}
	}
	several := Disputed(holders)
	for i := range holders {
		h := &holders[i]
		known := meta.FindStatusCondition(c.speakers[h.Node].Status.Conditions, v1beta1.ConditionMembershipKnown)
		if h.ReportedBefore != nil || known == nil || !wrong(known) {
			continue
		}
		sees := int(c.speakers[h.Node].Status.Members)
		text := fmt.Sprintf("%s sees %d of %d speakers: %s", h.Node, sees, there, known.Message)
		if sees == 0 { // It does not count them.
			text = fmt.Sprintf("%s does not see all speakers, or not in every way: %s", h.Node, known.Message)
		}
		switch {
		case several && sees > 0 && 2*sees <= there:
			text = fmt.Sprintf("%s is cut off: it sees %d of %d speakers: %s", h.Node, sees, there, known.Message)
		case h.StandsInFor != "":
			text = fmt.Sprintf("%s answers where the segment does not lead to %s: %s", h.Node, h.StandsInFor, known.Message)
		}
		texts = append(texts, text)
	}
	return texts
}
