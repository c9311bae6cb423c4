// Package loop runs a reconcile loop that looks at everything in each pass. Its one job is when a pass runs: which events wake
// the loop, and how a storm of them is paced. It refuses to know what a pass does.
//
//	func Add(m manager.Manager, gossip <-chan struct{}) error {
//		return loop.Wiring{
//			Name:  "speaker",
//			Kinds: []client.Object{&corev1.Service{}, &v1beta1.IPAddressPool{}},
//			Wakes: []<-chan struct{}{gossip},
//		}.Add(m, &Loop{...})
//	}
//
//	func (l *Loop) Reconcile(ctx context.Context, _ loop.Wake) (reconcile.Result, error) {
package loop
