module github.com/seatrial/seatrial/integration/kube/image

go 1.26
