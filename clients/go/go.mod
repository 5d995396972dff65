module marketplace/follow

go 1.22
