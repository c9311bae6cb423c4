package rendezvous

import "testing"

// TestHash_NumbersStayTheSame: if these numbers changed, speakers of different versions would choose differently.
func TestHash_NumbersStayTheSame(t *testing.T) {
	if got := Hash("n1"); got != 0x08b37b07b558d4c0 || got != Hash([]byte("n1")) {
		t.Errorf("the hash of n1 is %#x", got)
	}
	if got := Mix(1); got != 0xb456bcfc34c2cb2c {
		t.Errorf("1 mixes to %#x", got)
	}
}
