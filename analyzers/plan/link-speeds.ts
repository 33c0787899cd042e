/** What `plan` varies when a goal is about a migration and nothing is said to vary: speeds of links that exist. */
export const LINK_SPEEDS = 'dirty.link=100Mbit,250Mbit,500Mbit,1Gbit,2.5Gbit,5Gbit,10Gbit,25Gbit,50Gbit,100Gbit';
