package kubescheduler

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Thresholds between which the size of images counts, in bytes
// (plugins/imagelocality/image_locality.go).
const (
	minImages          = 23 << 20
	maxImagesContainer = 1000 << 20 // for each container
)

// image is one name of an image that nodes have: its size in bytes, as the first node states it, and how
// many nodes have it (backend/cache/cache.go, addNodeImageStates).
type image struct {
	name  string
	size  int64
	nodes int
}

// images are all that any node states. Most users state none, and then nothing is looked up.
type images struct{ byName map[string]*image }

// of returns the images of a node and counts it in.
func (x *images) of(n *corev1.Node) []*image {
	var out []*image
	for _, i := range n.Status.Images {
		for _, name := range i.Names {
			known, ok := x.byName[name]
			if !ok {
				if x.byName == nil {
					x.byName = make(map[string]*image)
				}
				known = &image{name: name, size: i.SizeBytes}
				x.byName[name] = known
			}
			if !slices.Contains(out, known) {
				known.nodes++
				out = append(out, known)
			}
		}
	}
	return out
}

// drop counts a node out.
func (x *images) drop(of []*image) {
	for _, i := range of {
		if i.nodes--; i.nodes == 0 {
			delete(x.byName, i.name)
		}
	}
}

// imageNames returns the names of the images of all containers, with the tag that is meant.
func imageNames(pod *corev1.Pod) []string {
	var out []string
	for _, of := range [2][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range of {
			name := of[i].Image
			if strings.LastIndex(name, ":") <= strings.LastIndex(name, "/") {
				name += ":latest"
			}
			out = append(out, name)
		}
	}
	return out
}

// scoreImages adds the score of ImageLocality: how much of the pod's images a node has, where an
// image counts by the part of all nodes that have it. Nothing is added while no node states images.
func (s *Scheduler) scoreImages(c *Class, nodes []NodeID, totals []int64) {
	if len(s.images.byName) == 0 || len(c.imageIDs) == 0 {
		return
	}
	most := int64(maxImagesContainer) * int64(len(c.imageIDs))
	for j, id := range nodes {
		var sum int64
		for _, name := range c.imageIDs {
			known := s.images.byName[name]
			if known != nil && slices.Contains(s.nodes[id].images, known) {
				sum += int64(float64(known.size) * (float64(known.nodes) / float64(len(s.byName))))
			}
		}
		sum = min(max(sum, minImages), most)
		totals[j] += maxScore * (sum - minImages) / (most - minImages)
	}
}
